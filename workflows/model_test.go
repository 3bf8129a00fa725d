package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.temporal.io/sdk/temporal"
	"pgregory.net/rapid"

	"padron/internal/backfill"
	"padron/internal/certificate"
	"padron/internal/changes"
	"padron/internal/dataset"
	"padron/internal/landing"
	"padron/internal/lineage"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/internal/testenv"
	"padron/workflows"
)

var modelSteps = flag.Int("model.steps", testenv.Times(80, 2000), "how many steps the model test makes in all")

// towns is how many sequences of the model test run at once, each with a
// database of its own.
const towns = 4

// TestModel makes random sequences of what happens to a register and to its
// mirror, with a run after each step: edits, republishing, columns that come,
// go and change, copies that lag, edits between the requests of a run, faults of
// the portal, cut writes and lost answers. What must be true after each run is
// in model.check and model.checkQuiet.
func TestModel(t *testing.T) {
	began := time.Now()
	var steps, runs atomic.Int64
	together(t, towns, func(t *testing.T, town int) {
		landing := landing.Config{Dir: t.TempDir()}
		if town == 0 {
			landing.Dir = "" // the one in the database takes twice the time
		}
		f := newFast(t, landing, modelSpec...)
		f.specs = []*dataset.Spec{f.spec, specNamed(t, f.name, append(slices.Clone(modelSpec), otherRules...)...)}
		left := *modelSteps / towns
		for left > 0 && !t.Failed() {
			rapid.Check(t, func(rt *rapid.T) {
				if left <= 0 {
					return
				}
				m := newModel(t.Context(), rt, f)
				actions := m.actions()
				for name, act := range actions {
					actions[name] = func(rt *rapid.T) {
						if left <= 0 {
							return // the sequence just ends
						}
						act(rt)
						left--
						steps.Add(1)
					}
				}
				rt.Repeat(actions)
				m.requireHistory(rt)
			})
		}
		runs.Add(int64(f.runs))
	})
	t.Logf("%d steps, %d runs, %.0f steps/s", steps.Load(), runs.Load(), float64(steps.Load())/time.Since(began).Seconds())
}

// modelSpec changes the spec so that small tables meet what large ones do: a
// required column that can hold unreadable values, and a low max_removals.
var modelSpec = []string{
	"range: [1, 11], portal_types: [text, number]", "range: [1, 11], portal_types: [text, number], required: true",
	"max_removals: {percent: 1, rows: 500}", "max_removals: {percent: 1, rows: 5}",
	// A sequence makes many bad rows of few.
	"max_quarantined: {percent: 5, rows: 10}", "max_quarantined: {percent: 100, rows: 0}",
	"max_stale: {percent: 0.1, rows: 10}", "max_stale: {percent: 100, rows: 0}",
}

// otherRules keep names and cities as they are written.
var otherRules = []string{
	"from: [dba_name], type: text, rules: [name]", "from: [dba_name], type: text",
	"from: [city, location_city], type: text, rules: [city]", "from: [city, location_city], type: text",
}

// maxSlots is how many columns a sequence may add: the simulated portal has
// room for 64, those of the register and dropped ones included.
const maxSlots = 24

// maxRemovals is modelSpec's, of tables of up to 100 rows.
const maxRemovals = 5

// model is the state that a sequence of steps has led to.
type model struct {
	*fast
	ctx   context.Context
	clock time.Time // of the newest version
	next  int       // number of the next new key
	slots int       // columns added so far: the simulated portal holds few

	mu      sync.Mutex          // edits come from requests too
	former  map[string]row      // last rows of keys that were deleted
	broken  string              // required column that is gone
	crawled string              // the newest run that crawled
	known   map[string]bson.Raw // documents that were found to be rows of the portal
	base    map[string]loaded   // documents as first loaded
	past    []moment            // what the mirror was after each run
	state   state               // what it is now
}

// moment is what the mirror was after a run.
type moment struct {
	at   time.Time // of the run
	docs map[string]changes.Leaves
}

// loaded is a document as a first load made it.
type loaded struct {
	at     time.Time // of the run
	leaves changes.Leaves
}

// state is all that the mirror holds about rows.
type state struct {
	businesses, removed map[string]bson.Raw
	events              map[string]map[int32]changes.Event
}

func newModel(ctx context.Context, t *rapid.T, f *fast) *model {
	m := &model{fast: f, ctx: ctx, former: map[string]row{}, known: map[string]bson.Raw{}, base: map[string]loaded{}}
	// Versions go up by a second for each edit, and must stay older than a minute
	// for runs to be skipped.
	o := portalsim.Options{History: true, Updated: time.Now().Add(-30 * 24 * time.Hour)}
	if rapid.IntRange(0, 4).Draw(t, "collation") == 0 {
		o.Collate = portalsim.Dictionary
	}
	o.ShuffleTies = rapid.IntRange(0, 4).Draw(t, "ties") == 0
	rows := rapid.SampledFrom([]int{0, 1, 12, 30, 45, 60}).Draw(t, "rows")
	o.Table = register.Generate(rows, rapid.Uint64().Draw(t, "seed"))
	f.serve(f.specs[0])
	f.begin(ctx, t, o)
	m.clock = o.Updated
	m.step(t)
	return m
}

// actions are the steps by name.
func (m *model) actions() map[string]func(*rapid.T) {
	edit := func(draw func(*rapid.T) []portalsim.Op) func(*rapid.T) {
		return func(t *rapid.T) {
			ops := draw(t) // or the step is left out
			m.mend(t)
			m.edit(ops...)
			m.step(t)
		}
	}
	return map[string]func(*rapid.T){
		"edit":      edit(func(t *rapid.T) []portalsim.Op { return m.edits(t, 1) }),
		"edits":     edit(func(t *rapid.T) []portalsim.Op { return m.edits(t, rapid.IntRange(2, 12).Draw(t, "edits")) }),
		"republish": edit(func(*rapid.T) []portalsim.Op { return []portalsim.Op{portalsim.Republish()} }),
		"nothing":   func(t *rapid.T) { m.step(t) },
		"purge":     edit(m.purge),
		"schema":    edit(m.schema),
		"break":     m.breakSchema,
		"column":    m.column,
		"rules":     m.rules,
	}
}

// edit publishes a version. Edits that the portal refuses, for a column that is
// gone or a key that another edit took away, are none.
func (m *model) edit(ops ...portalsim.Op) {
	if len(ops) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.oracle.read(m.portal.SourceRows())
	if m.portal.EditAt(m.tick(), ops...) != nil {
		for _, op := range ops {
			_ = m.portal.EditAt(m.tick(), op)
		}
	}
	after := m.oracle.read(m.portal.SourceRows())
	for key, rows := range before.rows {
		if _, ok := after.rows[key]; !ok {
			m.former[key] = rows[0]
		}
	}
}

// keys are those of the portal's rows.
func (m *model) keys() []string {
	return slices.Sorted(maps.Keys(m.oracle.read(m.portal.SourceRows()).rows))
}

// edits draws changes of rows.
func (m *model) edits(t *rapid.T, n int) []portalsim.Op {
	keys := m.keys()
	former := slices.Sorted(maps.Keys(m.former))
	var ops []portalsim.Op
	for range n {
		key := ""
		if len(keys) > 0 {
			key = rapid.SampledFrom(keys).Draw(t, "key")
		}
		kind := rapid.SampledFrom(editKinds).Draw(t, "kind")
		switch {
		case kind == "open" || key == "":
			m.next++
			ops = append(ops, portalsim.Open(m.newRow(t, fmt.Sprintf("%07d-01-001", 5_000_000+m.next*rapid.SampledFrom([]int{1, 7}).Draw(t, "where")))))
		case kind == "close":
			ops = append(ops, portalsim.Close(key, day.Draw(t, "day")))
		case kind == "close location":
			ops = append(ops, portalsim.CloseLocation(key, day.Draw(t, "day")))
		case kind == "reopen":
			ops = append(ops, portalsim.SetField(key, "location_end_date", nil), portalsim.SetField(key, "dba_end_date", nil),
				portalsim.SetField(key, "administratively_closed", nil))
		case kind == "rename":
			ops = append(ops, portalsim.Rename(key, dirtyText.Draw(t, "name")))
		case kind == "move":
			ops = append(ops, portalsim.Move(key, fmt.Sprintf("%d Main St", rapid.IntRange(1, 99).Draw(t, "number")),
				rapid.SampledFrom([]string{"Mission", "Chinatown", "Marina"}).Draw(t, "neighborhood")))
		case kind == "set":
			column := rapid.SampledFrom(dirtyColumns).Draw(t, "column")
			ops = append(ops, portalsim.SetField(key, column, dirty(column).Draw(t, column)))
		case kind == "delete":
			ops = append(ops, portalsim.Delete(key))
		case kind == "return" && len(former) > 0:
			back := maps.Clone(m.former[rapid.SampledFrom(former).Draw(t, "former")])
			if rapid.Bool().Draw(t, "changed") {
				back["dba_name"] = dirtyText.Draw(t, "name")
			}
			ops = append(ops, portalsim.Open(m.present(back)))
		case kind == "double":
			ops = append(ops, portalsim.Open(m.newRow(t, key)))
		case kind == "no key":
			ops = append(ops, portalsim.Open(m.newRow(t, rapid.SampledFrom([]string{"", " 0000001-01-001", "0000002-01-001 ", "none"}).Draw(t, "bad key"))))
		case kind == "other key":
			m.next++
			ops = append(ops, portalsim.SetField(key, "ttxid", fmt.Sprintf("%07d-09-001", m.next*900_000)))
		case kind == "unreadable":
			ops = append(ops, portalsim.SetField(key, "supervisor_district", rapid.SampledFrom([]any{"first", "", "3", nil, "12"}).Draw(t, "district")))
		}
	}
	return ops
}

var editKinds = []string{
	"open", "close", "close location", "reopen", "rename", "move", "set", "set", "delete", "delete", "return", "return", "double", "no key", "other key", "unreadable",
}

var (
	day = rapid.Custom(func(t *rapid.T) time.Time {
		return time.Date(rapid.SampledFrom([]int{1901, 1999, 2025, 2031, 2205}).Draw(t, "year"), 5, rapid.IntRange(1, 28).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
	})
	// dirtyText is what registers hold, and might.
	dirtyText = rapid.SampledFrom([]string{
		"Corner Books", "corner  books ", "N/A", "None", "Flyers #", "#", "San Francisco", "San+francisco", " Sf", "So San Fran", "94104", "94110-1234", "00000", "ca", "ZZ",
		"0000 Undeliverable Mail", "7220-7229", "2300-2399 4800-4999", "Multiple", "106122", "***Administratively Closed", "closed", "no", "true", "12",
		"2014-10-13", "2014-13-45", "POINT (-122.4 37.75)", "Ñandú\u00a0Café", "a\x00b", "\"quoted\\\"", "<&>\u2028", "東京", "\u200b",
	})
	dirtyColumns = []string{
		"certificate_number", "ownership_name", "dba_name", "full_business_address", "city", "state", "business_zip", "dba_start_date", "location_start_date",
		"mailing_address_1", "mail_city", "mail_state", "mail_zipcode", "self_reported_naics_code", "naic_code", "lic", "lic_code_description", "lic_code_descriptions_list",
		"parking_tax", "location", "business_corridor", "neighborhoods_analysis_boundaries", "community_benefit_district", "administratively_closed", "uniqueid",
		":@computed_region_ajp5_b2md",
	}
)

// dirty draws a value for a column, mostly one of its own type; the portal
// refuses others.
func dirty(column string) *rapid.Generator[any] {
	null := rapid.Just[any](nil)
	text := rapid.Map(dirtyText, func(s string) any { return s })
	switch {
	case strings.HasSuffix(column, "_date"):
		return rapid.OneOf(null, rapid.Map(day, func(d time.Time) any { return d }), rapid.Just[any]("1968-10-01T00:00:00.000"), rapid.Just[any]("2014-10-13T10:30:00.000"), text)
	case column == "parking_tax":
		return rapid.OneOf(null, rapid.SampledFrom([]any{true, false}), text)
	case column == "location":
		return rapid.OneOf(null, rapid.SampledFrom([]any{
			[2]float64{-122.41, 37.75}, [2]float64{37.75, -122.41}, [2]float64{0, 0}, [2]float64{-122.4194155, 37.7749295}, [2]float64{-80, 25}, [2]float64{500, 1},
		}), text)
	case strings.HasPrefix(column, ":"):
		return rapid.OneOf(null, rapid.SampledFrom([]any{"7", "41"}))
	default:
		return rapid.OneOf(null, text, text, text)
	}
}

// newRow draws a row.
func (m *model) newRow(t *rapid.T, key string) row {
	r := row{"ttxid": key, "certificate_number": "7000001", "dba_name": dirtyText.Draw(t, "dba_name"), "location_start_date": day.Draw(t, "start")}
	if key == "none" {
		delete(r, "ttxid")
	}
	return m.present(r)
}

// present leaves out what the portal has no column for, or one value for all rows.
func (m *model) present(r row) row {
	types := m.columns()
	maps.DeleteFunc(r, func(column string, _ any) bool { return !types[column] || strings.HasPrefix(column, "data_") })
	return r
}

// columns are those of the portal at this moment, as its metadata tell.
func (m *model) columns() map[string]bool {
	answer := httptest.NewRecorder()
	m.portal.ServeHTTP(answer, httptest.NewRequestWithContext(m.ctx, http.MethodGet, "/api/views/"+portalsim.DefaultID+".json", nil))
	var view struct {
		Columns []struct{ FieldName string }
	}
	columns := map[string]bool{}
	if json.Unmarshal(answer.Body.Bytes(), &view) != nil {
		return columns
	}
	for _, c := range view.Columns {
		columns[c.FieldName] = true
	}
	return columns
}

// purge draws the deletion of more rows than max_removals allows.
func (m *model) purge(t *rapid.T) []portalsim.Op {
	keys := m.keys()
	if len(keys) < maxRemovals+2 {
		t.Skip("too few rows")
	}
	var ops []portalsim.Op
	for _, key := range rapid.Permutation(keys).Draw(t, "keys")[:rapid.IntRange(maxRemovals-1, min(maxRemovals+4, len(keys))).Draw(t, "n")] {
		ops = append(ops, portalsim.Delete(key))
	}
	return ops
}

// schema draws a change of columns that a run must live with.
func (m *model) schema(t *rapid.T) []portalsim.Op {
	m.spend(t, 1)
	optional := []string{"city", "dba_name", "dba_start_date", "parking_tax", "location", "self_reported_naics_code", "uniqueid", "lic", "administratively_closed", "business_corridor"}
	column := rapid.SampledFrom(optional).Draw(t, "column")
	there := m.columns()
	switch kind := rapid.SampledFrom([]string{"drop", "retype", "rename", "new", "mapped"}).Draw(t, "change"); {
	case kind == "mapped" && !there["naic_code"]:
		return []portalsim.Op{portalsim.AddColumn("naic_code", "text")}
	case kind == "new" || kind == "mapped":
		m.next++
		return []portalsim.Op{portalsim.AddColumn(fmt.Sprintf("new_%d", m.next), "text")}
	case !there[column]:
		return []portalsim.Op{portalsim.AddColumn(column, "text")}
	case kind == "drop":
		return []portalsim.Op{portalsim.DropColumn(column)}
	case kind == "rename":
		m.next++
		return []portalsim.Op{portalsim.RenameColumn(column, fmt.Sprintf("%s_%d", column, m.next))}
	default:
		return []portalsim.Op{portalsim.DropColumn(column), portalsim.AddColumn(column, rapid.SampledFrom([]string{"text", "number", "checkbox"}).Draw(t, "type"))}
	}
}

// column takes a column away: all that changes does so for the schema's sake.
func (m *model) column(t *rapid.T) {
	m.skipBroken(t)
	there := slices.DeleteFunc([]string{"city", "dba_name", "lic", "business_corridor", "community_benefit_district", "mail_city"}, func(c string) bool { return !m.columns()[c] })
	if len(there) == 0 {
		t.Skip("all are gone")
	}
	require.NoError(t, m.portal.EditAt(m.tick(), portalsim.DropColumn(rapid.SampledFrom(there).Draw(t, "column"))))
	m.requireCause(t, changes.CauseSchema)
}

// rules gives the worker another spec: all that changes does so for its sake.
func (m *model) rules(t *rapid.T) {
	m.skipBroken(t)
	m.serve(m.specs[(slices.Index(m.specs, m.spec)+1)%len(m.specs)])
	m.requireCause(t, changes.CauseRules)
}

// requireCause makes a run whose events must all have this cause, save for
// removals that were held, and for keys that several rows have: which of them is
// the document depends on what is stored of them.
func (m *model) requireCause(t *rapid.T, cause string) {
	before := m.state.events
	result, err := m.run(workflows.MirrorInput{})
	require.NoError(t, err)
	m.check(t, result, err)
	sources := m.oracle.read(m.portal.SourceRows()).rows
	for key, events := range m.state.events {
		if len(sources[key]) > 1 {
			continue
		}
		for v, e := range events {
			if _, old := before[key][v]; !old && !m.oracle.ties && e.Kinds[0] != changes.KindRemoved {
				require.Equal(t, cause, e.Cause, "event %d of %s", v, key)
			}
		}
	}
	m.checkQuiet(t, result)
}

// skipBroken leaves a step out while a required column is gone: that it comes
// back, empty, is a change of its own.
func (m *model) skipBroken(t *rapid.T) {
	if m.broken != "" {
		t.Skip("the required column comes back first")
	}
}

// spend allows for n more columns.
func (m *model) spend(t *rapid.T, n int) {
	if m.slots+n > maxSlots {
		t.Skip("the simulated portal has had too many columns")
	}
	m.slots += n
}

// breakSchema takes a required column away, or makes it one of another type:
// a run must stop before anything is touched. It comes back, empty, before the
// next step.
func (m *model) breakSchema(t *rapid.T) {
	m.spend(t, 2)
	m.mend(t)
	m.broken = rapid.SampledFrom([]string{"dba_end_date", "location_start_date", "location_end_date"}).Draw(t, "required")
	require.NoError(t, m.portal.EditAt(m.tick(), portalsim.DropColumn(m.broken)))
	if rapid.Bool().Draw(t, "retyped") {
		require.NoError(t, m.portal.EditAt(m.tick(), portalsim.AddColumn(m.broken, "text")))
	}
	before := m.look(t)
	_, err := m.run(workflows.MirrorInput{Mode: runs.ModeFull})
	require.Equal(t, runs.SchemaChanged, kindOf(err), "%v", err)
	m.requireUntouched(t, before)
}

// mend brings a required column back.
func (m *model) mend(t *rapid.T) {
	if m.broken == "" {
		return
	}
	_ = m.portal.EditAt(m.tick(), portalsim.DropColumn(m.broken)) // where it is of another type
	require.NoError(t, m.portal.EditAt(m.tick(), portalsim.AddColumn(m.broken, "calendar_date")))
	m.broken = ""
}

func (m *model) tick() time.Time {
	m.clock = m.clock.Add(time.Second)
	return m.clock
}

// step makes a run in the middle of trouble, perhaps, and one on a quiet portal.
func (m *model) step(t *rapid.T) {
	m.mend(t)
	if trouble := rapid.SampledFrom(troubles).Draw(t, "trouble"); trouble != "" {
		before := m.look(t)
		m.stir(t, trouble)
		result, err := m.run(workflows.MirrorInput{Mode: runs.ModeFull})
		m.calm()
		m.check(t, result, err)
		switch kind := kindOf(err); {
		case (kind == runs.SchemaChanged || kind == runs.GateClosed) && !m.passedGate(t):
			m.requireUntouched(t, before)
		case trouble == "cut" || trouble == "unheard" || trouble == "zombie" || trouble == "fault":
			require.NoError(t, err, trouble) // it is outlasted
		}
	}
	result, err := m.run(workflows.MirrorInput{Mode: rapid.SampledFrom([]string{runs.ModeAuto, runs.ModeFull}).Draw(t, "mode")})
	require.NoError(t, err)
	m.check(t, result, err)
	m.checkQuiet(t, result)
}

// troubles are what a run may meet; half of the runs meet none.
var troubles = []string{
	"", "", "", "", "", "", "", "",
	"lag", "lag of some", "edits", "edits", "fault", "refusal", "cut", "cut", "unheard", "zombie",
}

// stir sets up trouble for the coming run.
func (m *model) stir(t *rapid.T, trouble string) {
	switch trouble {
	case "lag", "lag of some":
		share := int64(1)
		if trouble == "lag of some" {
			share = rapid.Int64Range(2, 4).Draw(t, "share")
		}
		var n atomic.Int64
		m.portal.LagWhen(func(*http.Request) bool { return n.Add(1)%share == 0 })
		m.edit(m.edits(t, 3)...)
	case "edits":
		script := map[int64][]portalsim.Op{}
		for range rapid.IntRange(1, 4).Draw(t, "times") {
			script[rapid.Int64Range(1, 40).Draw(t, "request")] = m.edits(t, rapid.IntRange(1, 3).Draw(t, "edits"))
		}
		var n atomic.Int64
		m.portal.OnRequest(func(*http.Request) { m.edit(script[n.Add(1)]...) })
	case "fault":
		fault := rapid.SampledFrom(passing).Draw(t, "fault")
		fault.Path, fault.Skip, fault.Times = "/", rapid.IntRange(0, 20).Draw(t, "skip"), rapid.IntRange(1, 6).Draw(t, "times")
		m.portal.Fail(fault)
	case "refusal":
		fault := rapid.SampledFrom(final).Draw(t, "fault")
		fault.Path, fault.Skip = "/", rapid.IntRange(0, 20).Draw(t, "skip")
		m.portal.Fail(fault)
	case "cut":
		m.wire.arm(cut{at: rapid.IntRange(1, 60).Draw(t, "write"), how: rapid.SampledFrom([]how{failed, failed, unheard, unheard, unheard, unsent, undone, late}).Draw(t, "how")})
	case "unheard", "zombie":
		m.loss.arm(rapid.IntRange(1, 25).Draw(t, "activity"), trouble == "zombie")
	}
}

// passing are faults that a run outlasts, final ones those that end it.
var (
	passing = []portalsim.Fault{
		{Status: http.StatusAccepted},
		{Status: http.StatusRequestTimeout},
		{Status: http.StatusTooManyRequests, RetryAfter: "7"},
		{Status: http.StatusTooManyRequests},
		{Status: http.StatusInternalServerError},
		{Status: http.StatusBadGateway, HTML: true},
		{Status: http.StatusServiceUnavailable},
		{HTML: true},
		{TruncateAfter: 20},
		{TruncateAfter: 3000},
		{Body: " "},
		{Body: "[{]"},
		{Reset: true},
		{Reset: true, ResetAfter: 300},
	}
	final = []portalsim.Fault{
		{Status: http.StatusBadRequest}, {Status: http.StatusUnauthorized}, {Status: http.StatusForbidden}, {Status: http.StatusNotFound},
	}
)

// calm ends all trouble.
func (m *model) calm() {
	m.portal.Heal()
	m.portal.CatchUp()
	m.portal.OnRequest(nil)
	m.wire.arm()
	m.loss.end()
}

// kindOf is the type of a run's error.
func kindOf(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Type()
	}
	return ""
}

// look reads the mirror.
func (m *model) look(t *rapid.T) state {
	s := state{businesses: m.byKey(t, mongodb.Businesses), removed: m.byKey(t, mongodb.Removed), events: map[string]map[int32]changes.Event{}}
	for _, d := range m.dump(m.ctx, t, mongodb.Changes) {
		var e changes.Event
		require.NoError(t, bson.Unmarshal(d, &e))
		if s.events[e.Key] == nil {
			s.events[e.Key] = map[int32]changes.Event{}
		}
		s.events[e.Key][e.Version] = e
	}
	return s
}

func (m *model) byKey(t *rapid.T, collection string) map[string]bson.Raw {
	all := map[string]bson.Raw{}
	for _, d := range m.dump(m.ctx, t, collection) {
		all[d.Lookup("_id").StringValue()] = d
	}
	return all
}

func version(d bson.Raw) int32 { return d.Lookup("lineage", "version").Int32() }

func (m *model) requireUntouched(t *rapid.T, before state) {
	require.Equal(t, before, m.look(t), "a run that failed touched something")
}

// check holds what must be true after every run, whatever it met.
func (m *model) check(t *rapid.T, result workflows.MirrorResult, err error) {
	newest := m.checkRows(t, err)
	if newest.Mirrors() && newest.Crawl.Gated() && newest.Job != runs.JobRerun {
		m.crawled = newest.ID
	}
	if err != nil {
		require.Equal(t, runs.StatusFailed, newest.Status)
		return
	}
	require.Equal(t, result.Run, newest.ID)
	if result.Outcome == string(certificate.Green) && !newest.Version.Served.IsZero() {
		m.requireGreen(t, newest)
	}
}

// checkRows holds what must be true of the rows after any run, and returns the
// newest run.
func (m *model) checkRows(t *rapid.T, err error) runs.Run {
	s := m.look(t)
	m.state = s
	first, errFirst := m.mirror.Runs.FirstLoads(m.ctx)
	require.NoError(t, errFirst)

	for key, d := range s.businesses {
		m.requireServed(t, key, d)
	}
	for key, d := range s.removed {
		m.requireServed(t, key, d)
		if present, both := s.businesses[key]; both {
			// A move that was cut; the next run ends it.
			require.Error(t, err, "%s is removed and present after a run that ended", key)
			require.LessOrEqual(t, version(d), version(present)+1, key)
		}
	}

	now := moment{docs: map[string]changes.Leaves{}}
	for key, events := range s.events {
		d, ok := m.newest(key)
		if !ok {
			// What a crash left of a row that was never stored.
			require.Equal(t, []int32{1}, slices.Sorted(maps.Keys(events)), "events of %s, which is nowhere", key)
			continue
		}
		for v := range events {
			require.LessOrEqual(t, v, version(d)+1, "an event of %s is far above its row", key)
		}
	}
	for _, key := range m.everywhere() {
		d, _ := m.newest(key)
		events := s.events[key]
		m.requireKinds(t, events)
		seen := d.Lookup("lineage", "first_seen").Time()
		early := slices.ContainsFunc(first, seen.Equal)
		_, opened := events[1]
		require.Equal(t, !early, opened, "event 1 of %s", key)
		leaves := m.leaves(t, d)
		if _, known := m.base[key]; early && !known {
			require.EqualValues(t, 1, version(d), "%s was first loaded", key)
			m.base[key] = loaded{seen, leaves}
		}
		rebuilt := m.rebuild(t, key, version(d), time.Time{})
		requireLeaves(t, leaves, rebuilt, key)
		if _, present := s.businesses[key]; present {
			now.docs[key] = leaves
		}
	}
	runs, errRuns := m.mirror.Runs.Runs(m.ctx, 1, time.Time{})
	require.NoError(t, errRuns)
	now.at = runs[0].Started
	m.past = append(m.past, now)
	return runs[0]
}

// requireKinds holds the kinds of events to the fields that they tell of.
func (m *model) requireKinds(t *rapid.T, events map[int32]changes.Event) {
	for _, e := range events {
		switch e.Kinds[0] {
		case changes.KindOpened:
			require.EqualValues(t, 1, e.Version)
			continue
		case changes.KindRemoved:
			require.Empty(t, e.Fields)
			continue
		case changes.KindReturned:
			continue
		}
		kinds := map[string]bool{}
		for _, f := range e.Fields {
			if f.Path == "facets.open" {
				kinds[map[bool]string{true: changes.KindReopened, false: changes.KindClosed}[f.To.Boolean()]] = true
			}
			for kind, paths := range map[string][]string{changes.KindMoved: m.spec.Events.Moved, changes.KindRenamed: m.spec.Events.Renamed} {
				if slices.ContainsFunc(paths, func(path string) bool { return path == f.Path || strings.HasPrefix(f.Path, path+".") }) {
					kinds[kind] = true
				}
			}
		}
		if len(kinds) == 0 {
			kinds[changes.KindUpdated] = true
		}
		require.ElementsMatch(t, slices.Collect(maps.Keys(kinds)), e.Kinds, "%v", e)
	}
}

// requireGreen holds a certificate to its word: the mirror is one version of
// the portal.
func (m *model) requireGreen(t *rapid.T, run runs.Run) {
	rows, err := m.portal.RowsAt(run.Version.Served)
	require.NoError(t, err)
	r := m.oracle.read(rows)
	m.oracle.require(t, slices.Collect(maps.Values(m.state.businesses)), r)
	require.EqualValues(t, len(m.state.businesses), run.Counts.Documents)
	held, err := m.mirror.Quarantine.Count(m.ctx, run.ID)
	require.NoError(t, err)
	require.Equal(t, run.Counts.Quarantined, held)
	if !m.oracle.ties {
		require.EqualValues(t, m.oracle.quarantined(r), held)
	}
	for _, check := range run.Certificate.Checks {
		require.True(t, check.OK, "%s: %s", check.Name, check.Detail)
	}
}

// checkQuiet holds what must be true after a run on a quiet portal: the mirror
// is the portal, save for removals over max_removals, which wait for approval.
func (m *model) checkQuiet(t *rapid.T, result workflows.MirrorResult) {
	r := m.oracle.read(m.portal.SourceRows())
	missing := map[string]bson.Raw{}
	present := maps.Clone(m.state.businesses)
	for key, d := range m.state.businesses {
		if _, ok := r.rows[key]; !ok {
			missing[key] = d
			delete(present, key)
		}
	}
	m.oracle.require(t, slices.Collect(maps.Values(present)), r)
	if len(missing) == 0 {
		require.Contains(t, []string{"green", workflows.OutcomeSkipped}, result.Outcome, result.Why)
		switch rapid.IntRange(0, 9).Draw(t, "then") {
		case 0:
			m.verify(t)
		case 1:
			m.rerun(t)
		case 2:
			m.backfill(t)
		}
		return
	}
	require.Greater(t, len(missing), maxRemovals, "%s: %s", result.Outcome, result.Why)
	require.NotContains(t, []string{"green", workflows.OutcomeSkipped}, result.Outcome, result.Why)
	run, err := m.mirror.Runs.Run(m.ctx, result.Run)
	require.NoError(t, err)
	require.EqualValues(t, len(missing), run.Held.Rows)
	if rapid.Bool().Draw(t, "approve") {
		return // later runs go on, and hold them again
	}
	back := ""
	if rapid.Bool().Draw(t, "one comes back") {
		back = slices.Sorted(maps.Keys(missing))[0]
		m.edit(portalsim.Open(m.present(maps.Clone(m.former[back]))))
		if !slices.Contains(m.keys(), back) {
			back = "" // refused: a column has another type by now
		}
	}
	approved, err := m.run(workflows.MirrorInput{Job: runs.JobApprove, Of: result.Run})
	require.NoError(t, err)
	m.check(t, approved, nil)
	for key := range missing {
		_, there := m.state.businesses[key]
		require.Equal(t, key == back, there, "%s after approval", key)
	}
	result, err = m.run(workflows.MirrorInput{})
	require.NoError(t, err)
	m.check(t, result, nil)
	m.checkQuiet(t, result)
}

// verify has the mirror verified, which must find nothing and change nothing.
func (m *model) verify(t *rapid.T) {
	result, err := m.run(workflows.MirrorInput{Job: runs.JobVerify, Deep: rapid.Bool().Draw(t, "deep")})
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	m.requireUntouched(t, m.state)
}

// backfill reloads years of a portal that was edited since the crawl: what
// belongs to them is as the portal has it, nothing is removed, and the next run
// makes the rest good.
func (m *model) backfill(t *rapid.T) {
	crawl, err := m.mirror.Runs.LastCrawl(m.ctx)
	require.NoError(t, err)
	judged, err := m.mirror.Quarantine.Keys(m.ctx, crawl.ID)
	require.NoError(t, err)
	before := m.state
	m.edit(m.edits(t, rapid.IntRange(0, 6).Draw(t, "edits"))...)
	if rapid.Bool().Draw(t, "cut") {
		m.wire.arm(cut{at: rapid.IntRange(1, 40).Draw(t, "write"), how: rapid.SampledFrom([]how{failed, unheard, unsent, undone}).Draw(t, "how")})
	}
	in := workflows.BackfillInput{
		On: backfill.OnLifecycle, Since: "1998-01-01", Until: "2028-01-01", Every: backfill.EveryYear, MaxActive: 3, Reload: backfill.ReloadAlways,
	}
	result, err := m.fast.backfill(in)
	m.calm()
	require.NoError(t, err)
	require.Contains(t, []string{"green", "behind"}, result.Outcome, result.Why)
	require.Equal(t, 30, result.Backfill.Done)
	m.checkRows(t, nil)
	require.Subset(t, slices.Collect(maps.Keys(before.removed)), slices.Collect(maps.Keys(m.state.removed)), "a backfill removes nothing")
	for key := range before.businesses {
		require.Contains(t, m.state.businesses, key)
	}
	for key, rows := range m.oracle.read(m.portal.SourceRows()).rows {
		if len(rows) == 1 && !m.oracle.unreadable(rows[0]) && !slices.Contains(judged, key) && within(rows[0], in.Since, in.Until) {
			d, there := m.state.businesses[key]
			require.True(t, there, "%s was not reloaded", key)
			require.Empty(t, m.oracle.isOf(d, rows[0]))
		}
	}
	after, err := m.run(workflows.MirrorInput{})
	require.NoError(t, err)
	m.check(t, after, nil)
	m.checkQuiet(t, after)
}

// rerun repeats the newest crawl with the portal switched off, which must change
// nothing.
func (m *model) rerun(t *rapid.T) {
	m.portal.Fail(portalsim.Fault{Status: http.StatusServiceUnavailable, Times: -1})
	result, err := m.run(workflows.MirrorInput{
		Job: runs.JobRerun, Of: m.crawled, From: rapid.SampledFrom([]string{runs.FromClean, runs.FromSnapshot}).Draw(t, "from"),
	})
	m.portal.Heal()
	require.NoError(t, err)
	require.Equal(t, "green", result.Outcome, result.Why)
	m.requireUntouched(t, m.state)
}

// everywhere are the keys of all rows that are or were.
func (m *model) everywhere() []string {
	keys := slices.Collect(maps.Keys(m.state.businesses))
	for key := range m.state.removed {
		if _, both := m.state.businesses[key]; !both {
			keys = append(keys, key)
		}
	}
	return keys
}

// newest is a key's document, or the one it had when it was removed.
func (m *model) newest(key string) (bson.Raw, bool) {
	if d, ok := m.state.businesses[key]; ok {
		return d, true
	}
	d, ok := m.state.removed[key]
	return d, ok
}

// passedGate says whether the newest run came so far that it may write.
func (m *model) passedGate(t *rapid.T) bool {
	runs, err := m.mirror.Runs.Runs(m.ctx, 1, time.Time{})
	require.NoError(t, err)
	return runs[0].Crawl.Gated() && runs[0].Gate.Holds()
}

// requireServed holds a document to have been a row of the portal at some time.
func (m *model) requireServed(t *rapid.T, key string, d bson.Raw) {
	canonical, err := lineage.Canonical(nil, d)
	require.NoError(t, err)
	if known, ok := m.known[key]; ok && slices.Equal(known, canonical) {
		return
	}
	columns := m.columns()
	var wrong []string
	for _, v := range m.portal.VersionsOf(key) {
		for _, r := range v.Rows {
			// A lagging copy may be asked without a column that it still has.
			projected := maps.Clone(r)
			maps.DeleteFunc(projected, func(column string, _ any) bool { return !columns[column] })
			why := m.oracle.isOf(d, r)
			if why == "" || m.oracle.isOf(d, projected) == "" {
				m.known[key] = canonical
				return
			}
			wrong = append(wrong, v.Since.Format(time.RFC3339)+": "+why)
		}
	}
	require.Fail(t, "the portal never served this document", "%s\n%s", d, strings.Join(wrong, "\n"))
}

// leaves are what events must be able to rebuild of a document.
func (m *model) leaves(t *rapid.T, d bson.Raw) changes.Leaves {
	canonical, err := lineage.Canonical(nil, d)
	require.NoError(t, err)
	leaves, err := changes.LeavesOf(canonical)
	require.NoError(t, err)
	return m.tracked(leaves)
}

// tracked leaves untracked fields out.
func (m *model) tracked(leaves changes.Leaves) changes.Leaves {
	for _, path := range m.spec.Untracked {
		delete(leaves, path)
	}
	return leaves
}

// rebuild makes a document of what was first loaded and of the events up to a
// version and, unless zero, a time. Nil when it was not there then.
func (m *model) rebuild(t *rapid.T, key string, upTo int32, at time.Time) changes.Leaves {
	base, early := m.base[key]
	leaves, present := changes.Leaves{}, early && !at.Before(base.at)
	maps.Copy(leaves, base.leaves)
	for v := int32(1); v <= upTo; v++ {
		e, ok := m.state.events[key][v]
		if !ok {
			require.True(t, v == 1 && early, "event %d of %s is missing", v, key)
			continue
		}
		if !at.IsZero() && e.At.After(at) {
			break
		}
		require.NotEmpty(t, e.Kinds)
		require.Contains(t, []string{changes.CauseSource, changes.CauseRules, changes.CauseSchema}, e.Cause)
		leaves.Apply(e)
		present = e.Kinds[0] != changes.KindRemoved
	}
	if !present && !at.IsZero() {
		return nil
	}
	return m.tracked(leaves)
}

func requireLeaves(t *rapid.T, want, got changes.Leaves, key string) {
	if want.Equal(got) {
		return
	}
	var wrong []string
	for path, v := range want {
		if g, ok := got[path]; !ok || !g.Equal(v) {
			wrong = append(wrong, fmt.Sprintf("%s is %s, rebuilt %s", path, v, got[path]))
		}
	}
	for path, v := range got {
		if _, ok := want[path]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s is absent, rebuilt %s", path, v))
		}
	}
	require.Empty(t, wrong, "document %s rebuilt of its events", key)
}

// requireHistory rebuilds the mirror of every run of the sequence.
func (m *model) requireHistory(t *rapid.T) {
	keys := m.everywhere()
	for _, then := range m.past {
		for _, key := range keys {
			d, _ := m.newest(key)
			want, ok := then.docs[key]
			got := m.rebuild(t, key, version(d), then.at)
			require.Equal(t, ok, got != nil, "%s at %s", key, then.at)
			if ok {
				requireLeaves(t, want, got, key)
			}
			delete(then.docs, key)
		}
		require.Empty(t, then.docs, "keys that are nowhere now")
	}
}
