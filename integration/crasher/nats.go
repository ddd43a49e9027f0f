package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// serveNATS runs a NATS server with JetStream until it is told to end. What it
// confirms is on the disk.
func serveNATS(port, dir string) error {
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, os.Interrupt)
	s, err := server.NewServer(&server.Options{
		ServerName: "crasher", Host: "127.0.0.1", Port: n, NoSigs: true,
		JetStream: true, StoreDir: dir, SyncAlways: true, DisableJetStreamBanner: true,
		// A client that does not answer is gone after some seconds. By default
		// that takes minutes, in which its partitions stay its own.
		PingInterval: time.Second, MaxPingsOut: 3,
	})
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	go s.Start()
	const patience = time.Minute
	if !s.ReadyForConnections(patience) {
		return errors.New("the NATS server does not start")
	}
	fmt.Fprintln(os.Stderr, "crasher: nats-server is ready")
	<-ended
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}
