package bench

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestFastestActivities(t *testing.T) {
	ran := func(scheduled, begun int64, took time.Duration, at *historypb.HistoryEvent) *historypb.HistoryEvent {
		e := completed(scheduled)
		e.GetActivityTaskCompletedEventAttributes().StartedEventId = begun
		e.EventTime = timestamppb.New(at.GetEventTime().AsTime().Add(took))
		return e
	}
	events := history(activity("clean"), attempt(1), activity("clean"), attempt(1), activity("index"), attempt(1), activity("never"))
	events = append(events,
		ran(1, 2, 3*time.Second, events[1]), ran(3, 4, 2*time.Second, events[3]), ran(5, 6, 9*time.Second, events[5]))
	other := history(activity("index"), attempt(1))
	other = append(other, ran(1, 2, 500*time.Millisecond, other[1]))
	assert.Equal(t, map[string]float64{"clean": 2, "index": 0.5}, fastest([][]*historypb.HistoryEvent{events, other}))
}

// crawls is a report of a small register as a check measures it.
func crawls() Report {
	raw := measurement{Name: lineIndexed, CPU: usage{Postgres: 3, Gateway: 0.5, Bench: 0.5}}
	raw.over(CheckRows, 2)
	r := Report{Rows: CheckRows, Lines: []measurement{raw}}
	for i, name := range []string{lineFirst, lineUnchanged, lineChangedFew, lineChangedMany} {
		m := measurement{
			Name: name, Outcome: "green", CPU: usage{Worker: 2, Postgres: 3 + float64(i), Gateway: 1}, WorkerPeak: 80 << 20,
			Portal: traffic{50, 8 << 20}, Commands: map[string]int64{"find": 300, "insert": 100}, MongoSent: 60 << 20, MongoReceived: 30 << 20,
			Events: 300, Actions: map[string]int{"activity": 80, "heartbeat": 4, "query": 2},
			Fastest: map[string]float64{"clean_page": 0.01, "reconcile": 0.5}, // of a page without rows
		}
		m.over(CheckRows, 4+float64(i))
		r.Lines = append(r.Lines, m)
	}
	return r
}

func TestRatiosAreOfTheSameRun(t *testing.T) {
	r := crawls()
	values := map[string]float64{}
	for _, x := range r.ratios() {
		values[x.Name] = x.Value
	}
	assert.InDelta(t, 2.5, values["full crawl, unchanged: time"], 1e-9)
	assert.InDelta(t, 1.25, values["full crawl, unchanged: database CPU"], 1e-9)
	assert.InDelta(t, 0.5, values["full crawl, unchanged: worker CPU"], 1e-9)
	assert.InDelta(t, 400, values["first load: MongoDB commands"], 1e-9)
	assert.InDelta(t, 80, values["first load: actions"], 1e-9, "heartbeats and queries depend on time")
	assert.InDelta(t, 0.005, values["first load: fastest clean_page"], 1e-9)
	assert.InDelta(t, 0.005, values["full crawls: fastest clean_page"], 1e-9)
	assert.Len(t, values, 4*13+2)

	// A machine of half the speed has the same ratios.
	slow := crawls()
	for i := range slow.Lines {
		m := &slow.Lines[i]
		m.over(m.Rows, 2*m.Seconds)
		m.CPU = m.CPU.plus(m.CPU)
		for name := range m.Fastest {
			m.Fastest[name] *= 2
		}
	}
	assert.Equal(t, r.ratios(), slow.ratios())

	without := crawls()
	without.Lines = without.Lines[1:]
	assert.Empty(t, without.ratios(), "without a raw limit there is nothing to compare with")
}

// boundsOf is a table with the factors of the committed one around a report: the
// judge is tried with these, so that new figures change nothing here.
func boundsOf(t *testing.T, r *Report) []bound {
	t.Helper()
	committed, err := parseBounds(boundsTable)
	require.NoError(t, err)
	kind := func(name string) string {
		_, measure, _ := strings.Cut(name, ": ")
		if strings.HasPrefix(measure, "fastest ") {
			return "fastest"
		}
		return measure
	}
	factors := map[string]float64{} // of each kind of ratio the widest, of crawls
	for _, b := range committed {
		if b.Usual > 0 && (strings.HasPrefix(b.Name, lineFirst) || strings.HasPrefix(b.Name, fullCrawls)) {
			factors[kind(b.Name)] = max(factors[kind(b.Name)], b.Most/b.Usual)
		}
	}
	var all []bound
	for _, x := range r.ratios() {
		if f, held := factors[kind(x.Name)]; held {
			all = append(all, bound{x.Name, x.Value, x.Value * f, "a test"})
		}
	}
	return all
}

func TestAPhaseThatDoublesIsCaught(t *testing.T) {
	base := crawls()
	bounds := boundsOf(t, &base)
	for name, plant := range map[string]struct {
		slow  func(m *measurement)
		finds []string
	}{
		"time alone, as of a sleep": {func(m *measurement) { m.Seconds *= 2.2 }, []string{"time"}},
		"a sleep in each page": {func(m *measurement) {
			m.Fastest["clean_page"] += 0.2
			m.Seconds += 20 * 0.2 / 4
		}, []string{"fastest clean_page"}},
		"a pass over the collection":   {func(m *measurement) { m.CPU.Postgres *= 2 }, []string{"database CPU"}},
		"a worker that computes twice": {func(m *measurement) { m.CPU.Worker *= 2 }, []string{"worker CPU"}},
		"twice the commands":           {func(m *measurement) { m.Commands["find"] += 400 }, []string{"MongoDB commands"}},
		"all rows read once more":      {func(m *measurement) { m.MongoReceived *= 2 }, []string{"MongoDB bytes received"}},
		"a request for each page":      {func(m *measurement) { m.Portal.Requests += 20 }, []string{"portal requests"}},
		"an activity for each page":    {func(m *measurement) { m.Actions["activity"] += 20; m.Events += 60 }, []string{"Temporal events", "actions"}},
	} {
		t.Run(name, func(t *testing.T) {
			for i := 1; i < len(base.Lines); i++ {
				planted := crawls()
				plant.slow(&planted.Lines[i])
				verdicts, err := hold(bounds, planted.ratios())
				require.NoError(t, err)
				again(verdicts, verdicts)
				var found []string
				for _, v := range verdicts {
					if line, measure, _ := strings.Cut(v.Name, ": "); !v.Held {
						assert.Equal(t, base.Lines[i].Name, line)
						found = append(found, measure)
					}
				}
				assert.Equal(t, plant.finds, found)
			}
		})
	}
}

func TestNoiseIsNoAlarm(t *testing.T) {
	base := crawls()
	bounds := boundsOf(t, &base)
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same noise in every run
	noisy := func() []ratio {
		m := crawls()
		for i := range m.Lines {
			l := &m.Lines[i]
			// Times and processor time vary by a quarter, counts do not.
			noise := func() float64 { return 0.75 + r.Float64()/2 }
			l.Seconds *= noise()
			l.CPU.Postgres *= noise()
			l.CPU.Worker *= noise()
			for _, name := range slices.Sorted(maps.Keys(l.Fastest)) {
				l.Fastest[name] *= noise()
			}
		}
		// The raw insert is the longest of few: it varies less.
		m.Lines[0].Seconds, m.Lines[0].CPU = 2*(0.9+r.Float64()/5), base.Lines[0].CPU
		return m.ratios()
	}
	for range 1000 {
		verdicts, err := hold(bounds, noisy())
		require.NoError(t, err)
		second, err := hold(bounds, noisy())
		require.NoError(t, err)
		again(verdicts, second)
		require.Zero(t, missed(verdicts), "%+v", verdicts)
	}
}

func TestWhatMissesIsMeasuredOnceMore(t *testing.T) {
	bounds := []bound{{"a", 1, 2, "x"}, {"b", 1, 2, "x"}, {"c", 1, 2, "x"}}
	measure := func(a, b, c float64) []Verdict {
		verdicts, err := hold(bounds, []ratio{{"c", c}, {"a", a}, {"b", b}, {"not held", 9}})
		require.NoError(t, err)
		return verdicts
	}
	verdicts := measure(3, 3, 2)
	assert.Equal(t, 2, missed(verdicts))
	again(verdicts, measure(1, 4, 9))
	assert.Equal(t, []Verdict{
		{"a", "x", 1, 2, []float64{3, 1}, true}, {"b", "x", 1, 2, []float64{3, 4}, false}, {"c", "x", 1, 2, []float64{2}, true},
	}, verdicts, "what held is not judged again")

	_, err := hold(bounds, []ratio{{"a", 1}, {"b", 1}})
	assert.ErrorContains(t, err, `"c" was not measured`)
}

func TestTableOfBounds(t *testing.T) {
	bounds, err := parseBounds(boundsTable)
	require.NoError(t, err)
	assert.Contains(t, boundsTable, "bench --check --times", "its head says how to renew it")
	for _, b := range bounds {
		assert.LessOrEqual(t, b.Most, max(2.5*b.Usual, b.Usual+1), "%s: a bound so wide misses what doubles", b.Name)
	}
	for text, want := range map[string]string{
		"# no table\n":                         "no line",
		"| a: time | 1 | 2 |\n":                "3 cells",
		"| a: time | one | 2 | x |\n":          "usual value",
		"| a: time | 1 | two | x |\n":          "bound",
		"| a: time | 2 | 1 | x |\n":            "usually 2, at most 1",
		"| a: time | 1 | 2 | |\n":              "why",
		"| a | 1 | 2 | x |\n| a | 1 | 2 | x |": "twice",
	} {
		_, err := parseBounds(text)
		require.ErrorContains(t, err, want, text)
	}
	parsed, err := parseBounds("Words.\n\n| ratio | usual | at most | why |\n|---|---|---|---|\n| a: b | 0.5 | 1 | for | \n")
	require.NoError(t, err)
	assert.Equal(t, []bound{{"a: b", 0.5, 1, "for"}}, parsed)
}

func TestCheckIsTold(t *testing.T) {
	report := &CheckReport{
		Rows: 60_000,
		Rounds: [][]Verdict{{
			{"a: time", "why a", 1, 2, []float64{3, 2.5}, false},
			{"b: events", "why b", 100, 110, []float64{123, 104}, true},
			{"c: time", "why c", 1, 2, []float64{0.4}, true},
			{"d: time", "why d", 1, 2, []float64{1.234567}, true},
		}},
		Measured: [][]ratio{
			{{"a: time", 3}, {"b: events", 123}, {"c: time", 0.4}, {"d: time", 1.234567}},
			{{"a: time", 2.5}, {"b: events", 104}, {"c: time", 0.5}, {"d: time", 1.1}},
		},
	}
	var out bytes.Buffer
	require.NoError(t, report.PrintTable(&out))
	text := out.String()
	assert.Regexp(t, `(?m)^a: time +3, then 2\.5 +1 +2 +MISSED$`, text)
	assert.Regexp(t, `(?m)^b: events +123, then 104 +100 +110 +held when measured once more$`, text)
	assert.Regexp(t, `(?m)^c: time +0\.4 +1 +2 +much better: renew the table`, text)
	assert.Regexp(t, `(?m)^d: time +1\.23 +1 +2 *$`, text)
	assert.Contains(t, text, "MISSED  a: time: measured 3, then 2.5, at most 2 (usually 1; why a). `bench --check --profile DIR` shows")
	assert.Regexp(t, `(?m)^b: events +104 +123 +123 +1\.12$`, text)

	out.Reset()
	require.NoError(t, report.PrintMarkdown(&out))
	renewed, err := parseBounds(out.String())
	require.NoError(t, err)
	assert.Equal(t, bound{"b: events", 123, 135, "why b"}, renewed[1], "what was measured, and a bound as many times as large")

	out.Reset()
	require.NoError(t, report.PrintJSON(&out))
	var back CheckReport
	require.NoError(t, json.Unmarshal(out.Bytes(), &back))
	assert.Equal(t, *report, back)
}
