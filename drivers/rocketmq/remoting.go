package rocketmq

import (
	"reflect"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// silence is when the library takes a connection for dead that it has read
	// nothing from. Its heartbeats are answered every 30 seconds.
	silence = 40 * time.Second
)

// ownRemoting is an option that gives a client connections of its own making.
// The library has one setting of TLS and of timeouts, which all clients of a
// process share and its options change under them: a cluster with TLS would
// turn that on for every other. The setting's type is internal to it, so the
// copy is made by reflection; Option is producer.Option or consumer.Option.
func ownRemoting[Option any](useTLS bool) Option {
	return reflect.MakeFunc(reflect.TypeFor[Option](), func(args []reflect.Value) []reflect.Value {
		shared := args[0].Elem().FieldByName("RemotingClientConfig")
		own := reflect.New(shared.Type().Elem())
		own.Elem().Set(shared.Elem())
		own.Elem().FieldByName("UseTls").SetBool(useTLS)
		own.Elem().FieldByName("ConnectionTimeout").SetInt(int64(dialTimeout))
		own.Elem().FieldByName("ReadTimeout").SetInt(int64(silence))
		shared.Set(own)
		return nil
	}).Interface().(Option)
}
