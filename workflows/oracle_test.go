package workflows_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
	"padron/internal/lineage"
	"padron/internal/mongodb"
)

// oracle says what a mirror must hold, from the portal's source rows and the
// spec alone. It never asks package cleaning: it turns a document back into the
// row that it claims to be of, and holds that against the row.
type oracle struct {
	spec *dataset.Spec
	ties bool // the portal gives rows of one key in any order
}

// portalRows is what the portal has at one version.
type portalRows struct {
	rows    map[string][]row // by key, in the portal's order
	unkeyed int              // rows whose key is none
}

// row is a source row as decoded JSON.
type row = map[string]any

// read sorts a version's rows by key.
func (o oracle) read(rows iter.Seq[map[string]any]) portalRows {
	r := portalRows{rows: map[string][]row{}}
	for row := range rows {
		if key, ok := row[o.spec.Key].(string); ok && key != "" && key == plain(key) {
			r.rows[key] = append(r.rows[key], row)
		} else {
			r.unkeyed++
		}
	}
	return r
}

// plain is a text without white space and invisible signs at its ends and with
// single spaces within.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u00ad'
	}), " ")
}

// documents are the rows of which the document of a key may be: those that can
// become one. Which of them does is the same whatever order they come in.
func (o oracle) documents(rows []row) []row {
	return slices.DeleteFunc(slices.Clone(rows), o.unreadable)
}

// unreadable says whether a row has an unreadable value in a required column.
func (o oracle) unreadable(r row) bool {
	for _, f := range o.spec.Fields {
		if !f.Required || f.Type != dataset.Number {
			continue // the simulated portal's other types hold no unreadable values
		}
		for _, column := range f.From {
			if text, ok := r[column].(string); ok && strings.TrimSpace(text) != "" {
				if _, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err != nil {
					return true
				}
				break
			}
		}
	}
	return false
}

// quarantined counts the rows that no document can be of.
func (o oracle) quarantined(r portalRows) int {
	n := r.unkeyed
	for _, rows := range r.rows {
		n += len(rows)
		if len(o.documents(rows)) > 0 {
			n--
		}
	}
	return n
}

// columns yields the columns that a document must tell of: mapped ones, save
// those of untracked and of dropped fields.
func (o oracle) columns() iter.Seq2[dataset.Field, string] {
	return func(yield func(dataset.Field, string) bool) {
		for _, f := range o.spec.Fields {
			if f.Copy != "" || slices.Contains(o.spec.Untracked, f.Path) {
				continue
			}
			for _, column := range f.From {
				if !yield(f, column) {
					return
				}
			}
		}
	}
}

// source is the part of a row that a document must tell of, as JSON by column.
func (o oracle) source(r row) map[string]string {
	told := map[string]string{}
	for _, column := range o.columns() {
		if v, ok := r[column]; ok && v != nil {
			told[column] = asJSON(v)
		}
	}
	return told
}

// rebuild turns a document back into source columns: the original where the
// document keeps one, else the field's value as the portal writes it, in the
// field's first column.
func (o oracle) rebuild(d bson.Raw) map[string]string {
	told := map[string]string{}
	altered := map[string]bool{} // by field
	for f, column := range o.columns() {
		v, err := d.LookupErr("source", column)
		if err != nil {
			continue
		}
		altered[f.Path] = true
		switch v.Type {
		case bson.TypeString:
			told[column] = asJSON(v.StringValue())
		case bson.TypeBoolean:
			told[column] = asJSON(v.Boolean())
		default:
			told[column] = normal(v.Document().Lookup("json").StringValue())
		}
	}
	for f, column := range o.columns() {
		if column != f.From[0] || altered[f.Path] {
			continue
		}
		if v, err := d.LookupErr(strings.Split(f.Path, ".")...); err == nil {
			told[column] = asJSON(turnedBack(f, v))
		}
	}
	return told
}

// turnedBack is an unaltered value as the portal's JSON has it.
func turnedBack(f dataset.Field, v bson.RawValue) any {
	switch f.Type {
	case dataset.Date:
		return time.UnixMilli(v.DateTime()).UTC().Format("2006-01-02T15:04:05.000")
	case dataset.Number:
		if v.Type == bson.TypeDouble {
			return strconv.FormatFloat(v.Double(), 'f', -1, 64)
		}
		return strconv.FormatInt(v.AsInt64(), 10)
	case dataset.Bool:
		return v.Boolean()
	case dataset.Marker:
		return f.Marker
	case dataset.Point:
		return map[string]any{"type": v.Document().Lookup("type").StringValue(), "coordinates": []any{
			v.Document().Lookup("coordinates", "0").Double(), v.Document().Lookup("coordinates", "1").Double(),
		}}
	default:
		return v.StringValue()
	}
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// normal is JSON text with names in order and numbers in one spelling.
func normal(text string) string {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return text
	}
	return asJSON(v)
}

// isOf says why a document is not of a row, empty when it is.
func (o oracle) isOf(d bson.Raw, r row) string {
	var wrong []string
	want, got := o.source(r), o.rebuild(d)
	for _, column := range slices.Sorted(maps.Keys(want)) {
		if got[column] != want[column] {
			wrong = append(wrong, fmt.Sprintf("%s is %q, the portal has %q", column, got[column], want[column]))
		}
	}
	for column := range got {
		if _, ok := want[column]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s is %q, the portal has nothing", column, got[column]))
		}
	}
	wrong = append(wrong, o.notOf(d, r)...)
	if len(wrong) == 0 {
		return ""
	}
	return fmt.Sprintf("document %s: %s", d.Lookup("_id"), strings.Join(wrong, "; "))
}

// notOf compares what a document has besides source columns: untracked fields,
// which are not kept as they were written, and copies.
func (o oracle) notOf(d bson.Raw, r row) (wrong []string) {
	for _, f := range o.spec.Fields {
		v, _ := d.LookupErr(strings.Split(f.Path, ".")...)
		got, _ := v.StringValueOK()
		want := ""
		switch {
		case f.Type == dataset.PointText:
			point, err := d.LookupErr(strings.Split(f.Copy, ".")...)
			if err == nil {
				want = fmt.Sprintf("POINT (%s %s)", degrees(point, "0"), degrees(point, "1"))
			}
		case slices.Contains(o.spec.Untracked, f.Path):
			for _, column := range slices.Backward(f.From) {
				if text, ok := r[column].(string); ok {
					want = plain(text)
				}
			}
		default:
			continue
		}
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s is %q, want %q", f.Path, got, want))
		}
	}
	return wrong
}

// degrees is a coordinate of a point, written out.
func degrees(point bson.RawValue, nth string) string {
	return strconv.FormatFloat(point.Document().Lookup("coordinates", nth).Double(), 'f', -1, 64)
}

// stale says whether a document is marked as one whose row is in quarantine.
func stale(d bson.Raw) bool {
	v, _ := d.Lookup("quality", "stale").BooleanOK()
	return v
}

// requireHash holds a document against its hash.
func requireHash(t require.TestingT, d bson.Raw) {
	canonical, err := lineage.Canonical(nil, d)
	require.NoError(t, err)
	_, hash := d.Lookup("lineage", "hash").Binary()
	want := sha256.Sum256(canonical)
	require.Equal(t, want[:], hash, "hash of %s", d.Lookup("_id"))
}

// require compares a whole mirror with a version of the portal: the same keys,
// each once, and each document of its row. kept are the keys whose documents
// stay because their rows are in quarantine.
func (o oracle) require(t require.TestingT, documents []bson.Raw, r portalRows) {
	if h, ok := t.(interface{ Helper() }); ok {
		h.Helper()
	}
	found := map[string]bool{}
	for _, d := range documents {
		key := d.Lookup("_id").StringValue()
		require.False(t, found[key], "document %s twice", key)
		found[key] = true
		rows, there := r.rows[key]
		require.True(t, there, "document %s has no row", key)
		candidates := o.documents(rows)
		require.Equal(t, len(candidates) == 0, stale(d), "document %s is stale", key)
		if !stale(d) {
			var wrong []string
			for _, row := range candidates {
				if why := o.isOf(d, row); why != "" {
					wrong = append(wrong, why)
				}
			}
			require.Less(t, len(wrong), len(candidates), strings.Join(wrong, "\n"))
		}
		requireHash(t, d)
	}
	for key, rows := range r.rows {
		candidates := o.documents(rows)
		require.True(t, found[key] || len(candidates) == 0, "row %s has no document", key)
	}
}

// requireMirrors compares the mirror with the portal's source rows.
func requireMirrors(t *testing.T, s *stack) {
	t.Helper()
	o := oracle{spec: s.spec}
	o.require(t, s.dump(mongodb.Businesses), o.read(s.portal.SourceRows()))
}
