package engine

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/FerretDB/FerretDB/v2/ferretdb"

	"padron/deploy/dev/stack"
)

// FerretDB is the name of the gateway's process where it has one of its own.
const FerretDB = "FerretDB"

// startFerretDBApart is StartFerretDB in a process of its own.
func startFerretDBApart(s *stack.Stack, postgresURL, addr, state string, log *os.File) (uri string, err error) {
	return "mongodb://" + addr + "/", s.StartPart(FerretDB, log, "ferretdb", postgresURL, addr, state)
}

// StartFerretDB serves the MongoDB protocol at addr from the DocumentDB at
// postgresURL, in this process. It asks for no password, which embedded
// FerretDB cannot do, so addr must be on loopback. It keeps a small state of
// its own in the folder state and writes errors to log.
func StartFerretDB(s *stack.Stack, postgresURL, addr, state string, log *os.File) (uri string, err error) {
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
		// FerretDB writes the reason to its log and does not return it.
		return "", fmt.Errorf("start FerretDB on %s: see %s", addr, log.Name())
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		db.Run(ctx)
	}()
	s.OnStop(FerretDB, func(limit context.Context) error {
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
