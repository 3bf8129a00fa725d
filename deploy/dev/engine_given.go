package main

import (
	"context"
	"errors"
	"net/url"
)

// givenMongoDB is the server that the variable MONGODB_URI names.
type givenMongoDB struct {
	getenv func(string) string
}

// Name implements Engine.
func (*givenMongoDB) Name() string { return "MONGODB_URI" }

// Prepare finds out whether the variable is set. A server that then does not answer is an error of Start: who names a
// server does not want another.
func (g *givenMongoDB) Prepare(context.Context) error {
	if g.getenv("MONGODB_URI") == "" {
		return errors.New("not set: set it to the address of a MongoDB you have")
	}
	return nil
}

// Start implements Engine.
func (g *givenMongoDB) Start(context.Context, *Stack) (uri, description string, err error) {
	uri = g.getenv("MONGODB_URI")
	return uri, redacted(uri) + " (given by MONGODB_URI)", nil
}

// redacted is a URI fit to be shown: without its password.
func redacted(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return "a server that is not shown, its address having a password perhaps"
	}
	return u.Redacted()
}
