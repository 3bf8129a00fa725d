package main

import (
	"io"

	"github.com/spf13/cobra"
)

// Root is the tree of commands, for the tests that walk it.
func Root() *cobra.Command { return newRoot(io.Discard, io.Discard) }
