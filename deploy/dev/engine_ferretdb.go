package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/FerretDB/FerretDB/v2/ferretdb"
)

// startFerretDBApart is startFerretDB in a process of its own.
func startFerretDBApart(stack *Stack, postgresURL, addr, state string, log *os.File) (uri string, err error) {
	return "mongodb://" + addr + "/", startPart(stack, "FerretDB", log, "ferretdb", postgresURL, addr, state)
}

// startFerretDB answers the MongoDB protocol at addr out of the DocumentDB at postgresURL, within this process.
//
// It asks for no password (embedded FerretDB cannot), hence listens on loopback only. It keeps its own small state in
// the folder state and writes errors to log.
func startFerretDB(stack *Stack, postgresURL, addr, state string, log *os.File) (uri string, err error) {
	if err := os.MkdirAll(state, 0o755); err != nil {
		return "", fmt.Errorf("make FerretDB's state folder: %w", err)
	}
	telemetry := false
	db, err := ferretdb.New(&ferretdb.Config{
		PostgreSQLURL: postgresURL,
		ListenAddr:    addr,
		StateDir:      state,
		LogLevel:      slog.LevelError,
		LogOutput:     log,
		Telemetry:     &telemetry,
	})
	if err != nil {
		// FerretDB writes the reason to its log and returns none.
		return "", fmt.Errorf("start FerretDB on %s: see %s", addr, log.Name())
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		db.Run(ctx)
	}()
	stack.onStop("FerretDB", func(limit context.Context) error {
		cancel()
		select {
		case <-done:
			return nil
		case <-limit.Done():
			return fmt.Errorf("FerretDB still has connections: %w", limit.Err())
		}
	})
	// Blocks until Run listens.
	return db.MongoDBURI(), nil
}
