// Package matrix runs the same connectors over every broker: gateways as
// processes of their own, on real servers, for each broker, each store, each
// shape of a pipeline and both ways to feed a sink. What a connector is told is
// the same byte for byte; only --broker differs.
//
// A cell of the matrix moves numbered records while its connectors are paused,
// stopped, deleted and killed. Then what has arrived is compared with what was
// fed, record by record: none is missing or changed, those of a key are in
// order, and none is repeated but those that a killed gateway had in hand.
//
// The servers and the program are the package's: one of each, started with the
// first cell that needs it. Cells have topics, groups and folders of their own.
// At most two run at a time.
package matrix
