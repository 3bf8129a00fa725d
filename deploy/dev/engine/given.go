package engine

import (
	"context"
	"errors"
	"strings"

	"padron/deploy/dev/stack"
	"padron/internal/mongodb"
)

// givenMongoDB is the server that the variable MONGODB_URI names.
type givenMongoDB struct {
	getenv func(string) string
}

// Name implements engine.
func (*givenMongoDB) Name() string { return "MONGODB_URI" }

// Prepare checks that the variable is set. A server that does not answer is an
// error of Start: who names a server does not want another one.
func (g *givenMongoDB) Prepare(context.Context) error {
	if g.getenv("MONGODB_URI") == "" {
		return errors.New("not set: set it to the address of a MongoDB you have")
	}
	return nil
}

// Start implements engine.
func (g *givenMongoDB) Start(_ context.Context, s *stack.Stack) (uri, description string, err error) {
	uri = g.getenv("MONGODB_URI")
	address := mongodb.Address(uri)
	_, host, _ := strings.Cut(address, "://")
	return uri, address + " (given by MONGODB_URI)", s.NotOwn("MONGODB_URI", host)
}
