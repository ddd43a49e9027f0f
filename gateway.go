package omconnect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"syscall"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/internal/redact"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/rest"
)

// grace is how long connectors may take to finish what they have read. It
// leaves 5 of the 30 s that orchestrators give before they kill.
const grace = 25 * time.Second

// brokerPatience is how long closing the brokers may take.
const brokerPatience = 5 * time.Second

// A gateway is what one run of the program is made of.
type gateway struct {
	settings     *settings
	plugins      *connect.Plugins
	acceptState  bool // --accept-empty-state
	untilIdle    bool
	brokerChange connect.BrokerChange // --broker-changed
	streams      *streams
	token        string      // that calls of the API need; "" if none
	line         *statusLine // where logger writes to
	logger       *slog.Logger
}

// offlineCatalog returns a catalog that can validate and nothing else: it has
// no store.
func offlineCatalog(brokers map[string]string, plugins *connect.Plugins) *connect.Catalog {
	return connect.NewCatalog(nil, plugins, newBrokers(brokers), slog.New(slog.DiscardHandler))
}

// run starts everything in order, waits until ctx is done or, with untilIdle,
// until nothing is left to do, and stops everything in reverse.
func (g *gateway) run(ctx context.Context) (err error) {
	// Each thing that is opened is closed in reverse, whatever comes after.
	closing := func(what string, closeIt func() error) {
		if e := closeIt(); e != nil {
			err = errors.Join(err, fmt.Errorf("stopping: %s: %w", what, e))
		}
	}
	folder, err := openDataFolder(g.settings.data)
	if err != nil {
		return err
	}
	defer func() { closing("data folder", folder.close) }()

	if g.settings.tokens == tokensAuto {
		if g.token, err = folder.token(); err != nil {
			return err
		}
	}
	ln, err := rest.Listen(ctx, g.settings.listen, g.token != "")
	if err != nil {
		return unlessStopped(ctx, listenError(err))
	}
	defer ln.Close() // Serve has closed it, unless it never came to that

	store, err := openState(g.settings, folder, g.logger)
	if err != nil {
		return err
	}
	defer func() { closing("state", store.Close) }()

	brokers := newBrokers(g.settings.brokers)
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), brokerPatience)
		defer cancel()
		closing("brokers", func() error { return brokers.Close(ctx) })
	}()
	return g.serve(ctx, folder, ln, store, brokers)
}

// listenError tells a wrong address from one that is only taken.
func listenError(err error) error {
	err = fmt.Errorf("REST: %w; the address is that of --listen, OMCONNECT_LISTEN or rest.listen", err)
	if errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	return usageError{err}
}

// unlessStopped returns nil for the error of a phase that ended because the
// gateway was told to stop: that is no failure.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// serve runs the API, and the connectors as soon as the store answers.
func (g *gateway) serve(ctx context.Context, folder *dataFolder, ln net.Listener, store offsets.Store, brokers *connect.Brokers) (err error) {
	worker := workerAddress(ln)
	place := g.newMembership(store, folder.id, worker)
	defer func() { place.leave(ctx) }() // when nothing runs here any more
	brokers.Guard(place.admit)
	catalog := connect.NewCatalog(store, g.plugins, brokers, g.logger)
	options := rest.Options{Catalog: catalog, Version: Version, Worker: worker, Logger: g.logger}
	if g.token != "" {
		options.Tokens = []string{g.token}
	}
	entrance := &gate{next: rest.New(options)}
	api := start(ctx, func(ctx context.Context) error { return rest.Serve(ctx, ln, entrance, g.logger) })
	g.logAddress(ln, folder)

	if err := g.prepare(ctx, folder, store, place, brokers, catalog); err != nil {
		return errors.Join(unlessStopped(ctx, err), api.stop())
	}
	place.guards.Store(true)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	staying := start(ctx, func(ctx context.Context) error {
		defer stop() // it has lost its place, or was told to end
		return place.keep(ctx)
	})
	defer func() { err = errors.Join(err, staying.stop()) }() // after the connectors
	rt := connect.NewRuntime(connect.Options{
		Store: store, Plugins: g.plugins, Brokers: brokers,
		Gateway: folder.id, Worker: worker, Grace: grace, Logger: g.logger, Alone: place.alone, BrokerChange: g.brokerChange,
	})
	connectors := start(ctx, rt.Run)
	defer func() { err = errors.Join(err, connectors.stop()) }()
	defer func() { err = errors.Join(err, api.stop()) }() // before the connectors
	entrance.open.Store(true)
	g.logger.Info("gateway started", "version", Version, "data", folder.path, "state", redact.Text(g.settings.state), "connectors", len(g.settings.connectors))

	if g.untilIdle {
		return g.waitIdle(ctx, rt)
	}
	select {
	case <-ctx.Done():
		g.logger.Info("stopping: what was read is being finished; a second signal stops at once")
		return nil
	case <-api.ended:
	case <-connectors.ended:
	}
	return errors.New("a part of the gateway ended by itself") // its own error is joined
}

// logAddress says where the API answers, and where the token is that it asks
// for. The token itself stands in no log.
func (g *gateway) logAddress(ln net.Listener, folder *dataFolder) {
	log := g.logger.With("url", "http://"+workerAddress(ln))
	if g.token == "" {
		log.Info("REST API answers")
		return
	}
	log.Info("REST API answers", "token_file", filepath.Join(folder.path, tokenFile))
	if addr, ok := ln.Addr().(*net.TCPAddr); ok && !addr.IP.IsLoopback() {
		log.Warn("other machines reach the REST API, and there is no TLS: keep the network between to those who may read the token")
	}
}

// prepare waits for the store, opens the brokers, and makes the connectors of
// the file true.
func (g *gateway) prepare(ctx context.Context, folder *dataFolder, store offsets.Store, place *membership, brokers *connect.Brokers, catalog *connect.Catalog) error {
	shown := redact.Text(g.settings.state)
	id, err := waitForState(ctx, store, shown, g.logger)
	if err != nil {
		return err
	}
	if err := recognise(folder, id, shown, g.acceptState, g.logger); err != nil {
		return err
	}
	if err := place.join(ctx); err != nil {
		return err
	}
	for _, name := range g.settings.opened {
		if _, err := brokers.Client(ctx, name); err != nil {
			return g.wrong(ctx, err)
		}
	}
	requests := make([]connect.Request, 0, len(g.settings.connectors))
	for _, c := range g.settings.connectors {
		requests = append(requests, c.Request)
	}
	return g.wrong(ctx, catalog.Apply(ctx, requests))
}

// wrong makes a usageError of one that a better configuration mends.
func (g *gateway) wrong(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || oms.IsTemporary(err) {
		return err
	}
	return usageError{err}
}
