// Package transform has the transforms, predicates and converters that come
// with the gateway. Types, keys, defaults and results are Kafka Connect's; the
// differences stand with each and here.
//
//   - Key and value of a connector are bytes. A JSON object and a typed row
//     (package row) are structures, a JSON array is a list, everything else is
//     text or bytes. A JSON object is what Kafka Connect calls schemaless, a
//     typed row has a schema: as there, a row refuses a field that is missing
//     or there already, where an object takes null or replaces it.
//   - Members of an object keep their order. Numbers that no transform touches
//     keep their digits.
//   - Regular expressions are Go's: no look-around, no back-references, no
//     possessive quantifiers. They are refused when the connector is created.
//   - Numbers and timestamps become text as in Java ("1.0E10"), except that
//     dates and times of a row keep their own text with all its digits.
//   - Errors never quote the record, and so not what a program says of it.
//
// Nothing here keeps state between records but what it has prepared.
package transform
