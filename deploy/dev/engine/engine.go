package engine

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/deploy/dev/stack"
	"padron/internal/mongodb"
)

// engine is one way to get a MongoDB-compatible server.
type engine interface {
	// Name is how people call this way.
	Name() string
	// Prepare makes sure that Start can work, and installs what it needs. Its
	// error is the reason why this way cannot be used.
	Prepare(ctx context.Context) error
	// Start starts the server and registers with the stack how to stop it. It
	// returns the server's URI and a description. The server may not answer
	// yet.
	Start(ctx context.Context, s *stack.Stack) (uri, description string, err error)
}

// engines lists all ways in the order in which they are tried.
func engines(s *stack.Stack) []engine {
	return []engine{
		&givenMongoDB{getenv: os.Getenv},
		&localMongod{},
		&dockerMongo{},
		newDocumentDB(s.Dirs, s.Steps),
	}
}

// choose returns the first engine that can be prepared. When none can, the
// error lists all of them with their reasons.
func choose(ctx context.Context, all []engine) (engine, error) {
	var reasons strings.Builder
	for i, e := range all {
		err := e.Prepare(ctx)
		if err == nil {
			return e, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		fmt.Fprintf(&reasons, "\n  %d. %s: %v", i+1, e.Name(), err)
	}
	return nil, fmt.Errorf("no MongoDB found; any one of these four ways will do:%s", reasons.String())
}

// Start finds a MongoDB, starts it and waits until it answers.
func Start(ctx context.Context, s *stack.Stack) (uri string, err error) {
	chosen, err := choose(ctx, engines(s))
	if err != nil {
		return "", err
	}
	err = s.Steps.Do("MongoDB", "starting "+chosen.Name(), func() (string, error) {
		var description string
		uri, description, err = chosen.Start(ctx, s)
		if err != nil {
			return "", fmt.Errorf("MongoDB from %s: %w", chosen.Name(), err)
		}
		if err := awaitMongoDB(ctx, s, uri); err != nil {
			return "", fmt.Errorf("MongoDB from %s: %w", chosen.Name(), err)
		}
		return description, nil
	})
	return uri, err
}

// withoutURI is an error's text, unless it may quote the address, which may have a
// password.
func withoutURI(err error, uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	if strings.ContainsAny(rest, "@?") {
		return "it has a user or options, and is not shown; user and password must be percent-encoded"
	}
	return err.Error()
}

// startTimeout is how long a server may take until its first answer: a cold
// start of a container on a slow disk.
const startTimeout = 60 * time.Second

// awaitMongoDB waits until a primary answers at uri.
func awaitMongoDB(ctx context.Context, s *stack.Stack, uri string) error {
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(time.Second))
	if err != nil {
		return fmt.Errorf("%s is no usable address: %s", mongodb.Address(uri), withoutURI(err, uri))
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	deadline := time.Now().Add(startTimeout)
	for {
		err := client.Ping(ctx, nil)
		if err == nil {
			return nil
		}
		if ended := s.Failure(); ended != nil {
			return ended
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer within %s: %w", startTimeout, err)
		}
		// A refused connection fails at once on some platforms.
		time.Sleep(50 * time.Millisecond)
	}
}
