package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Engine is one way to a MongoDB-compatible server.
type Engine interface {
	// Name is what a person calls this way.
	Name() string
	// Prepare makes sure that Start can work, and fetches what it needs. Its error is the reason why this way is
	// closed.
	Prepare(ctx context.Context) error
	// Start starts the server and registers with the stack how it is stopped. It returns the server's URI and a
	// description. The server may not answer yet.
	Start(ctx context.Context, stack *Stack) (uri, description string, err error)
}

// engines is the ladder: the ways to a MongoDB in the order in which they are tried.
func engines(stack *Stack) []Engine {
	return []Engine{
		&givenMongoDB{getenv: stack.getenv},
		&localMongod{},
		&dockerMongo{},
		newDocumentDB(stack.Dirs, stack.Steps),
	}
}

// chooseEngine returns the first engine that can be prepared. When none can, the error lists all with their reasons.
func chooseEngine(ctx context.Context, ladder []Engine) (Engine, error) {
	var reasons strings.Builder
	for i, e := range ladder {
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

// startEngine finds a MongoDB, starts it and waits until it answers.
func startEngine(ctx context.Context, stack *Stack) (uri string, err error) {
	engine, err := chooseEngine(ctx, engines(stack))
	if err != nil {
		return "", err
	}
	err = stack.Steps.Do("MongoDB", "starting "+engine.Name(), func() (string, error) {
		var description string
		uri, description, err = engine.Start(ctx, stack)
		if err != nil {
			return "", fmt.Errorf("MongoDB from %s: %w", engine.Name(), err)
		}
		if err := awaitMongoDB(ctx, stack, uri); err != nil {
			return "", fmt.Errorf("MongoDB from %s: %w", engine.Name(), err)
		}
		return description, nil
	})
	return uri, err
}

// mongoDBPatience is how long a MongoDB may take to answer the first time: a cold start of a container on a slow disk.
const mongoDBPatience = 60 * time.Second

// awaitMongoDB waits until a primary answers at uri.
func awaitMongoDB(ctx context.Context, stack *Stack, uri string) error {
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(time.Second))
	if err != nil {
		return fmt.Errorf("read the address: %w", err)
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	deadline := time.Now().Add(mongoDBPatience)
	for {
		err := client.Ping(ctx, nil)
		if err == nil {
			return nil
		}
		if ended := stack.Failure(); ended != nil {
			return ended
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer within %s: %w", mongoDBPatience, err)
		}
		// A refused connection fails at once on some platforms; the server gets a moment.
		time.Sleep(50 * time.Millisecond)
	}
}
