package workflows_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/activities"
	"padron/internal/mirror"
	"padron/internal/socrata/socratatest"
	"padron/workflows"
)

// What a look at a harmed mirror comes to.
const (
	red     = "red"     // its certificate is not green
	stopped = "stopped" // it ends with an error and touches nothing
	mended  = "mended"  // it makes good what was harmed, and is green
	passed  = "-"       // it does not see it
)

// harm is something that no run of Padron does to a mirror, and who finds it.
type harm struct {
	name string
	do   func(ctx context.Context, t *testing.T, m *mutant)
	// What the next full run, verify, verify --deep and a rerun from the landed
	// pages make of it.
	run, verify, deep, rerun string
}

// mutant is a mirror to be harmed.
type mutant struct {
	*fast
	last                           string // the newest run
	plain, edited, removed, opened string // keys
}

// TestEveryHarmIsFound does to a mirror what no run does, one harm after the
// other, and has each job look at it:
//
//	harm                                            next run  verify  verify --deep  rerun from landing
//	a value changed, its hash left                  -         -       red            -
//	a value that is counted changed, its hash left  red       red     red            red
//	a hash changed                                  mended    red     red            mended
//	a version changed                               -         -       red            -
//	a document lost                                 mended    red     red            mended
//	a document doubled under another key            mended    red     red            red
//	a removed document back among the present ones  mended    red     red            red
//	a removed document lost                         -         -       red            -
//	the event of a change lost                      -         -       red            -
//	the event of an opening lost                    -         -       red            -
//	the event of a removal lost                     -         -       red            -
//	an event that tells another value               -         -       red            -
//	two landed pages swapped                        -         -       -              stopped
//	a landed page lost                              -         -       -              stopped
//
// What is counted are the columns of the spec's dimensions. A rerun cannot mend
// what asks for the portal: it removes nothing. It is stopped by the hashes of
// the landing, with nothing touched.
func TestEveryHarmIsFound(t *testing.T) {
	t.Parallel()
	m := &mutant{fast: newFast(t, mirror.LandingConfig{}, modelSpec...)}
	ctx := t.Context()
	m.begin(ctx, t, socratatest.Options{Table: socratatest.Generate(50, 5), Updated: time.Now().Add(-48 * time.Hour)})
	_, err := m.run(workflows.MirrorInput{})
	require.NoError(t, err)
	keys := slices.Sorted(maps.Keys(m.oracle.read(m.portal.SourceRows()).rows))
	m.plain, m.edited, m.removed, m.opened = keys[10], keys[20], keys[30], "9999999-01-001"
	require.NoError(t, m.portal.EditAt(time.Now().Add(-24*time.Hour), socratatest.Rename(m.edited, "Second Name"), socratatest.Delete(m.removed),
		socratatest.Open(row{"ttxid": m.opened, "dba_name": "New Cafe"}), socratatest.SetField(m.plain, "neighborhoods_analysis_boundaries", "Mission")))
	result, err := m.run(workflows.MirrorInput{})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	m.last = result.Run
	sound := m.save(ctx, t)

	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = w.Write([]byte("\nharm\tnext run\tverify\tverify --deep\trerun from landing\n"))
	for _, h := range harms {
		found := []string{h.name}
		for _, look := range []workflows.MirrorInput{
			{Mode: activities.Full}, {Job: workflows.JobVerify}, {Job: workflows.JobVerify, Deep: true}, {Job: workflows.JobRerun, Of: m.last, From: activities.FromClean},
		} {
			m.restore(ctx, t, sound)
			h.do(ctx, t, m)
			found = append(found, m.look(ctx, t, look, sound))
		}
		_, _ = w.Write([]byte(strings.Join(found, "\t") + "\n"))
		assert.Equal(t, []string{h.name, h.run, h.verify, h.deep, h.rerun}, found)
	}
	require.NoError(t, w.Flush())
	t.Log(table.String())
}

// look runs a job on a harmed mirror.
func (m *mutant) look(ctx context.Context, t *testing.T, in workflows.MirrorInput, sound map[string][]bson.Raw) string {
	harmed := m.save(ctx, t)
	result, err := m.run(in)
	after := m.save(ctx, t)
	switch {
	case err != nil:
		for _, collection := range []string{mirror.Businesses, mirror.Removed, mirror.Changes} {
			require.Equal(t, harmed[collection], after[collection], "%s touched %s", in.Job, collection)
		}
		return stopped
	case result.Outcome != string(mirror.OutcomeGreen):
		return red
	case rowsOf(t, after[mirror.Businesses]) == rowsOf(t, sound[mirror.Businesses]) && rowsOf(t, harmed[mirror.Businesses]) != rowsOf(t, sound[mirror.Businesses]):
		return mended
	}
	return passed
}

// rowsOf is all documents without their lineage.
func rowsOf(t *testing.T, documents []bson.Raw) string {
	var all strings.Builder
	for _, d := range documents {
		canonical, err := mirror.CanonicalOf(nil, d)
		require.NoError(t, err)
		all.Write(canonical)
		_, hash := d.Lookup("lineage", "hash").Binary()
		all.Write(hash)
	}
	return all.String()
}

func (m *mutant) update(ctx context.Context, t *testing.T, collection string, id any, change bson.D) {
	t.Helper()
	changed, err := m.mirror.Database().Collection(collection).UpdateOne(ctx, bson.D{{Key: "_id", Value: id}}, change)
	require.NoError(t, err)
	require.EqualValues(t, 1, changed.ModifiedCount)
}

func (m *mutant) remove(ctx context.Context, t *testing.T, collection string, id any) {
	t.Helper()
	gone, err := m.mirror.Database().Collection(collection).DeleteOne(ctx, bson.D{{Key: "_id", Value: id}})
	require.NoError(t, err)
	require.EqualValues(t, 1, gone.DeletedCount)
}

func (m *mutant) document(ctx context.Context, t *testing.T, collection, key string) bson.D {
	t.Helper()
	var d bson.D
	require.NoError(t, m.mirror.Database().Collection(collection).FindOne(ctx, bson.D{{Key: "_id", Value: key}}).Decode(&d))
	return d
}

// landed are the raw pages of the newest crawl.
func (m *mutant) landed(ctx context.Context, t *testing.T) []mirror.Entry {
	landing, err := m.mirror.Landing(mirror.LandingConfig{})
	require.NoError(t, err)
	pages, err := landing.List(ctx, m.last)
	require.NoError(t, err)
	pages = slices.DeleteFunc(pages, func(p mirror.Entry) bool { return p.Kind != mirror.KindRaw })
	require.Greater(t, len(pages), 2)
	return pages
}

func eventID(key string, version int32) bson.D {
	return bson.D{{Key: "key", Value: key}, {Key: "version", Value: version}}
}

func set(path string, v any) bson.D {
	return bson.D{{Key: "$set", Value: bson.D{{Key: path, Value: v}}}}
}

// harms are what the README lists.
var harms = []harm{
	{"a value changed, its hash left", func(ctx context.Context, t *testing.T, m *mutant) {
		m.update(ctx, t, mirror.Businesses, m.plain, set("dba_name", "Somebody Else"))
	}, passed, passed, red, passed},
	{"a value that is counted changed, its hash left", func(ctx context.Context, t *testing.T, m *mutant) {
		m.update(ctx, t, mirror.Businesses, m.plain, set("districts.neighborhoods_analysis_boundaries", "Atlantis"))
	}, red, red, red, red},
	{"a hash changed", func(ctx context.Context, t *testing.T, m *mutant) {
		m.update(ctx, t, mirror.Businesses, m.plain, set("lineage.hash", bson.Binary{Data: make([]byte, mirror.HashSize)}))
	}, mended, red, red, mended},
	{"a version changed", func(ctx context.Context, t *testing.T, m *mutant) {
		m.update(ctx, t, mirror.Businesses, m.edited, set("lineage.version", int32(7)))
	}, passed, passed, red, passed},
	{"a document lost", func(ctx context.Context, t *testing.T, m *mutant) {
		m.remove(ctx, t, mirror.Businesses, m.plain)
	}, mended, red, red, mended},
	{"a document doubled under another key", func(ctx context.Context, t *testing.T, m *mutant) {
		d := m.document(ctx, t, mirror.Businesses, m.plain)
		d[0].Value = "7777777-01-001"
		_, err := m.mirror.Database().Collection(mirror.Businesses).InsertOne(ctx, d)
		require.NoError(t, err)
	}, mended, red, red, red},
	{"a removed document back among the present ones", func(ctx context.Context, t *testing.T, m *mutant) {
		_, err := m.mirror.Database().Collection(mirror.Businesses).InsertOne(ctx, m.document(ctx, t, mirror.Removed, m.removed))
		require.NoError(t, err)
	}, mended, red, red, red},
	{"a removed document lost", func(ctx context.Context, t *testing.T, m *mutant) {
		m.remove(ctx, t, mirror.Removed, m.removed)
	}, passed, passed, red, passed},
	{"the event of a change lost", func(ctx context.Context, t *testing.T, m *mutant) {
		m.remove(ctx, t, mirror.Changes, eventID(m.edited, 2))
	}, passed, passed, red, passed},
	{"the event of an opening lost", func(ctx context.Context, t *testing.T, m *mutant) {
		m.remove(ctx, t, mirror.Changes, eventID(m.opened, 1))
	}, passed, passed, red, passed},
	{"the event of a removal lost", func(ctx context.Context, t *testing.T, m *mutant) {
		m.remove(ctx, t, mirror.Changes, eventID(m.removed, 2))
	}, passed, passed, red, passed},
	{"an event that tells another value", func(ctx context.Context, t *testing.T, m *mutant) {
		m.update(ctx, t, mirror.Changes, eventID(m.edited, 2), set("fields.0.to", "Third Name"))
	}, passed, passed, red, passed},
	{"two landed pages swapped", func(ctx context.Context, t *testing.T, m *mutant) {
		chunks := m.dump(ctx, t, "landing.chunks")
		var pages []bson.Raw
		for _, page := range m.landed(ctx, t)[:2] {
			i := slices.IndexFunc(chunks, func(c bson.Raw) bool { return c.Lookup("files_id").StringValue() == page.ID })
			require.GreaterOrEqual(t, i, 0)
			pages = append(pages, chunks[i])
		}
		m.update(ctx, t, "landing.chunks", pages[0].Lookup("_id"), set("data", pages[1].Lookup("data")))
		m.update(ctx, t, "landing.chunks", pages[1].Lookup("_id"), set("data", pages[0].Lookup("data")))
	}, passed, passed, passed, stopped},
	{"a landed page lost", func(ctx context.Context, t *testing.T, m *mutant) {
		m.remove(ctx, t, "landing.files", m.landed(ctx, t)[0].ID)
	}, passed, passed, passed, stopped},
}
