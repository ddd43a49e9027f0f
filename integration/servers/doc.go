// Package servers starts the real brokers that tests need: Kafka, RabbitMQ,
// RocketMQ and Redis, without containers. Each is a server of its own on free
// ports of 127.0.0.1, in a folder of its own, with its data and its logs.
//
//   - [Kafka], [RabbitMQ], [RocketMQ] and [Redis] give a test a server that it
//     may stop, kill and start again, with the same addresses and data. It ends
//     with the test.
//   - [StartKafka] and its like are the same for programs that are not tests,
//     and for a TestMain.
//   - [KafkaAddr] and its like give the address of some broker, for tests that
//     do it no harm: one that stands already, if the environment names it.
//   - An [Option] adds lines to the configuration, users, or TLS with the
//     [Certificates] that a test has made.
//
// A server is ready when it is returned: it has said so in its log, and it
// answers. One that does not become ready within 3 minutes is an error with the last
// lines of its log; so is one whose program or jars are missing, which says how
// to get them. Nothing skips.
//
// No server outlives its use. Stop and Kill end all that was started, by process
// id and group: RabbitMQ's port mapper (epmd) too, which is one of its own. On
// Linux a server also ends when the process that started it is killed. Only a
// [Standing] one stays, until it is taken down.
//
// The package knows nothing of what is tested with it, so that tests of every
// package may import it.
package servers
