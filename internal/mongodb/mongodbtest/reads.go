package mongodbtest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/mongodb"
)

// Reads collects the find commands that a client sends. Connect is to be given
// its Attach.
type Reads struct {
	mu       sync.Mutex
	on       bool
	commands []bson.Raw
}

// Attach makes it see a client's commands.
func (r *Reads) Attach(o *options.ClientOptions) {
	o.SetMonitor(&event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.on && e.CommandName == "find" {
			r.commands = append(r.commands, slices.Clone(e.Command))
		}
	}})
}

// Of lists the find commands that were sent while f ran.
func (r *Reads) Of(t *testing.T, f func() error) []bson.Raw {
	t.Helper()
	r.mu.Lock()
	r.on, r.commands = true, nil
	r.mu.Unlock()
	require.NoError(t, f())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = false
	return r.commands
}

// AssertExaminesWhatItReturns asks the server how it answers a find command.
// MongoDB counts what it examined. The engine that speaks its protocol on top
// of PostgreSQL tells its plan: what it examines is what it returns when an
// index answers the whole filter (no scan of the collection, no filter behind
// the index) and no limit comes after a sort.
func AssertExaminesWhatItReturns(t *testing.T, db *mongodb.Database, command bson.Raw) {
	t.Helper()
	var find bson.D
	elements, err := command.Elements()
	require.NoError(t, err)
	for _, e := range elements {
		if slices.Contains([]string{"find", "filter", "sort", "limit", "projection"}, e.Key()) {
			find = append(find, bson.E{Key: e.Key(), Value: e.Value()})
		}
	}
	raw, err := db.Command(t.Context(), bson.D{{Key: "explain", Value: find}, {Key: "verbosity", Value: "executionStats"}})
	require.NoError(t, err)
	if stats, ok := raw.Lookup("executionStats").DocumentOK(); ok {
		assert.LessOrEqual(t, mongodb.Number(stats, "totalDocsExamined"), max(mongodb.Number(stats, "nReturned"), 1), "%s", command)
		return
	}
	var nodes []string
	walkPlan(raw.Lookup("queryPlanner", "Plan").Document(), false, func(node bson.Raw, limited bool) {
		kind := mongodb.Text(node, "Node Type")
		nodes = append(nodes, kind)
		assert.NotContains(t, []string{"Seq Scan", "Parallel Seq Scan"}, kind, "%s", command)
		assert.False(t, limited && strings.Contains(kind, "Sort"), "a limit after a sort: %s", command)
		_, err := node.LookupErr("Filter")
		assert.Error(t, err, "filtered: %s: %s", command, node.Lookup("Filter")) //nolint:testifylint // more than one can be wrong
	})
	assert.True(t, slices.ContainsFunc(nodes, func(kind string) bool { return strings.Contains(kind, "Index") || kind == "Result" }),
		"no index in %s: %s", nodes, command)
}

func walkPlan(node bson.Raw, limited bool, visit func(node bson.Raw, limited bool)) {
	visit(node, limited)
	limited = limited || mongodb.Text(node, "Node Type") == "Limit"
	plans, ok := node.Lookup("Plans").ArrayOK()
	if !ok {
		return
	}
	values, err := plans.Values()
	if err != nil {
		return
	}
	for _, p := range values {
		walkPlan(p.Document(), limited, visit)
	}
}
