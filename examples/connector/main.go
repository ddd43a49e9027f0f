// Command folders is a gateway with two connectors of its own: folder-source
// sends the files of a folder as messages, folder-sink writes messages as
// files. Everything else is as in omconnect itself.
package main

import (
	"github.com/omconnect/omconnect"
	"github.com/omconnect/omconnect/connect"
)

func init() {
	connect.Register(sourcePlugin)
	connect.Register(sinkPlugin)
}

func main() { omconnect.Main() }
