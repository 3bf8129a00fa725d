package dashboard_test

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
	"padron/internal/profile"
)

// counted are the values of a field by brute force.
func counted(docs []bson.Raw, path string) (values map[string]int64, present int64) {
	values = map[string]int64{}
	for _, doc := range docs {
		v, err := doc.LookupErr(strings.Split(path, ".")...)
		if err != nil {
			continue
		}
		present++
		switch v.Type {
		case bson.TypeString:
			values[v.StringValue()]++
		case bson.TypeDateTime:
			values[v.Time().UTC().Format(time.DateOnly)]++
		case bson.TypeBoolean:
			values[strconv.FormatBool(v.Boolean())]++
		case bson.TypeInt32:
			values[strconv.Itoa(int(v.Int32()))]++
		default:
		}
	}
	return values, present
}

// shownField is what the page shows of a field.
type shownField struct {
	present, missing, distinct int64
	about                      float64 // error of distinct, in percent; 0: exact
	top                        []profile.Counted
	topError                   int64
}

var (
	fieldOf  = regexp.MustCompile(`(?s)<section class="field".*?<code>([^<]*)</code>.*?</section>`)
	countsOf = regexp.MustCompile(`<p>([\d,]+) rows have a value, ([\d,]+) have none\. ` +
		`Distinct values: (about )?([\d,]+|[^ .<]+)(?: \(± ([\d.]+) %\))?\.`)
	topOf      = regexp.MustCompile(`<tr><th scope="row">([^<]*)</th><td class="num">([\d,]+)</td>`)
	topErrorOf = regexp.MustCompile(`each count may be too low by up to ([\d,]+) rows`)
)

func whole(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.ReplaceAll(text, ",", ""), 10, 64)
	require.NoError(t, err, text)
	return n
}

// TestTheProfilePageEqualsBruteForce: every number of the page, on a register with
// the dirt of the real one, within the errors that the page states; where it
// states none, to the row.
func TestTheProfilePageEqualsBruteForce(t *testing.T) {
	t.Parallel()
	s := newStack(t, 6000)
	s.load()
	docs := s.documents()
	body := s.ok("/en/profile").body
	shown := map[string]shownField{}
	for _, section := range fieldOf.FindAllStringSubmatch(body, -1) {
		m := countsOf.FindStringSubmatch(section[0])
		if m == nil {
			continue // hidden
		}
		f := shownField{present: whole(t, m[1]), missing: whole(t, m[2])}
		if f.distinct = -1; m[4][0] >= '0' && m[4][0] <= '9' {
			f.distinct = whole(t, m[4])
		}
		require.Equal(t, m[3] != "", m[5] != "", "an estimate has an error: %s", m[0])
		if m[5] != "" {
			var err error
			f.about, err = strconv.ParseFloat(m[5], 64)
			require.NoError(t, err)
		}
		list, _, _ := strings.Cut(section[0], "<figure")
		for _, row := range topOf.FindAllStringSubmatch(list, -1) {
			f.top = append(f.top, profile.Counted{Value: html.UnescapeString(row[1]), Rows: whole(t, row[2])})
		}
		if m := topErrorOf.FindStringSubmatch(section[0]); m != nil {
			f.topError = whole(t, m[1])
		}
		shown[section[1]] = f
	}

	estimates := 0
	for _, f := range s.spec.Fields {
		if f.Drop || f.Copy != "" {
			continue
		}
		got, ok := shown[f.Path]
		require.Equal(t, !s.spec.Sensitive(f.Path), ok, f.Path)
		if !ok {
			continue
		}
		values, present := counted(docs, f.Path)
		require.Equal(t, []int64{present, int64(len(docs)) - present}, []int64{got.present, got.missing}, f.Path)
		if f.Type == dataset.Point {
			require.EqualValues(t, -1, got.distinct)
			continue
		}
		require.LessOrEqual(t, math.Abs(float64(got.distinct)-float64(len(values))), got.about/100*float64(len(values)), f.Path)
		if len(values) <= profile.MaxExact {
			require.Zero(t, got.about, f.Path)
			require.Zero(t, got.topError, f.Path)
		}
		if got.about != 0 {
			estimates++
		}
		s.requireTop(f.Path, values, present, &got)
		s.requireHistogram(&f, values)
	}
	require.Greater(t, estimates, 3, "the test sees estimates")

	flags := map[string]int64{}
	for _, doc := range docs {
		list, _ := doc.Lookup("quality", "flags").ArrayOK()
		all, _ := list.Values()
		for _, flag := range all {
			if !s.spec.Sensitive("quality.flags." + flag.StringValue()) {
				flags[flag.StringValue()]++
			}
		}
	}
	require.NotEmpty(t, flags)
	require.Equal(t, flags, s.numbers("/data/profile/flags.json", "flag"))
	states, _ := counted(docs, "address.state")
	delete(states, "CA")
	require.Equal(t, states, s.numbers("/data/profile/outside.json", "state"))
	require.NotContains(t, body, "Columns are described as run")
}

// numbers are the rows of a chart by the value in a column.
func (s *stack) numbers(path, column string) map[string]int64 {
	s.t.Helper()
	var data struct {
		Rows []map[string]any `json:"rows"`
	}
	s.readJSON(&data, path)
	numbers := map[string]int64{}
	for _, row := range data.Rows {
		numbers[row[column].(string)] = int64(row["rows"].(float64))
	}
	return numbers
}

// requireTop holds a list of the most frequent values against all values.
func (s *stack) requireTop(path string, values map[string]int64, present int64, got *shownField) {
	t := s.t
	t.Helper()
	all := make([]profile.Counted, 0, len(values))
	for value, rows := range values {
		all = append(all, profile.Counted{Value: value, Rows: rows})
	}
	slices.SortFunc(all, func(a, b profile.Counted) int { return cmp.Compare(b.Rows, a.Rows) })
	switch {
	case int64(len(values)) == present:
		require.Empty(t, got.top, path)
	case got.about == 0:
		require.Equal(t, rowsOf(all[:min(10, len(all))]), rowsOf(got.top), path)
		for _, c := range got.top {
			require.Equal(t, values[c.Value], c.Rows, "%s: %q", path, c.Value)
		}
	default:
		for _, c := range got.top {
			require.LessOrEqual(t, c.Rows, values[c.Value], "%s: %q", path, c.Value)
			require.LessOrEqual(t, values[c.Value], c.Rows+got.topError, "%s: %q", path, c.Value)
		}
		if len(got.top) == 10 {
			for _, c := range all {
				if !slices.ContainsFunc(got.top, func(l profile.Counted) bool { return l.Value == c.Value }) {
					require.LessOrEqual(t, c.Rows, got.top[9].Rows+got.topError, "%s: %q", path, c.Value)
				}
			}
		}
	}
}

func rowsOf(list []profile.Counted) []int64 {
	rows := make([]int64, len(list))
	for i, c := range list {
		rows[i] = c.Rows
	}
	return rows
}

// requireHistogram holds years and numbers against all values.
func (s *stack) requireHistogram(f *dataset.Field, values map[string]int64) {
	s.t.Helper()
	want := values
	if f.Type == dataset.Date {
		want = map[string]int64{}
		for day, rows := range values {
			want[day[:4]] += rows
		}
	}
	if (f.Type == dataset.Date || f.Type == dataset.Number) && len(want) > 0 {
		require.Equal(s.t, want, s.numbers(fmt.Sprintf("/data/profile/field-%s.json", strings.ReplaceAll(f.Path, ".", "-")), "value"), f.Path)
	}
}
