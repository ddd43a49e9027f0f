package omconnect

// The drivers, connectors and transforms that come with the gateway register themselves. A
// main of one's own adds to them by importing more.
import (
	_ "github.com/omconnect/omconnect/connect/broker" // each of these
	_ "github.com/omconnect/omconnect/connect/file"
	_ "github.com/omconnect/omconnect/connect/generator"
	_ "github.com/omconnect/omconnect/connect/log"
	_ "github.com/omconnect/omconnect/connect/sql"
	_ "github.com/omconnect/omconnect/connect/transform"
	_ "github.com/omconnect/omconnect/drivers/embedded"
	_ "github.com/omconnect/omconnect/drivers/kafka"
	_ "github.com/omconnect/omconnect/drivers/rabbitmq"
	_ "github.com/omconnect/omconnect/drivers/rocketmq"
)
