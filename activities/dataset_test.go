package activities

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/dataset"
	"padron/internal/guard"
)

// TestADatasetThatOpensHoldsUpNoOther: the steps of one dataset go on while
// another one's database does not answer.
func TestADatasetThatOpensHoldsUpNoOther(t *testing.T) {
	text, err := os.ReadFile("../internal/dataset/specs/sf-business.yaml")
	require.NoError(t, err)
	specs := map[string]*dataset.Spec{}
	for _, name := range []string{"slow", "open"} {
		specs[name], err = dataset.Parse([]byte(strings.Replace(string(text), "name: sf-business", "name: "+name, 1)), name+".yaml")
		require.NoError(t, err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // binding a port is immediate
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + silent.Addr().String()).SetServerSelectionTimeout(time.Minute))
	require.NoError(t, err)
	never := func(error) bool { return false }
	a := &Activities{Mongo: client, MongoDatabase: "test", Database: guard.New(guard.Options{Name: "mongodb", Down: never})}
	a.Serve(specs["slow"], specs["open"])
	a.open["open"] = &opened{spec: specs["open"]}

	waits := make(chan error, 1)
	go func() {
		_, err := a.dataset(t.Context(), Run{Dataset: "slow"}) // until its own deadline
		waits <- err
	}()
	_, err = silent.Accept() // it asks, and waits
	require.NoError(t, err)
	found := make(chan *opened, 1)
	go func() {
		o, _ := a.dataset(t.Context(), Run{Dataset: "open"})
		found <- o
	}()
	select {
	case o := <-found:
		require.Same(t, a.open["open"], o)
	case <-time.After(5 * time.Second):
		require.Fail(t, "it waits for the other")
	}
	require.Empty(t, waits, "the other still waits")
}
