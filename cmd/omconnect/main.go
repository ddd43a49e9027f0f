// Omconnect is the gateway with the drivers and connectors that come with it.
package main

import "github.com/omconnect/omconnect"

func main() { omconnect.Main() }
