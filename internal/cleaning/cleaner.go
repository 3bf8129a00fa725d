// Package cleaning makes documents of a register's raw rows. It is pure: the same row and spec always make the
// same bytes, whatever the day, the machine and the order of the row's columns.
//
// Nothing is coerced away. Where a document does not say what the row said, source{column: raw} does, so that
// Source rebuilds the row from the document, volatile, ignored, dropped and silent columns aside.
package cleaning

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
)

// Row is one cleaned row. It is valid until the next call of Clean.
type Row struct {
	Key        string   // of the dataset's key column; of a quarantined row as far as there is one
	Document   bson.Raw // in the order of the spec, without lineage; nil when quarantined
	Hash       [32]byte // sha256 of Document
	Flags      []string // sorted; the same as quality.flags
	Quarantine string   // why the row is kept out, empty for a clean one
}

// Profile counts what was cleaned so far.
type Profile struct {
	Rows        int            `json:"rows" bson:"rows"` // all, quarantined ones included
	Quarantined int            `json:"quarantined" bson:"quarantined"`
	Missing     map[string]int `json:"missing" bson:"missing"` // source column: rows without a value in it; every mapped column is there
	Flags       map[string]int `json:"flags" bson:"flags"`     // flag: clean rows that have it
	Unknown     map[string]int `json:"unknown" bson:"unknown"` // source column the spec does not know: rows with it
}

// Cleaner cleans the rows of one dataset. It is not for concurrent use: each page has its own.
type Cleaner struct {
	spec    *dataset.Spec
	fields  []field
	columns map[string]int // mapped columns: index in names
	names   []string       // mapped columns, sorted
	paths   map[string]int // of fields: index in fields
	key     int            // index of the key's column
	plan    plan
	cities  cities
	hexes   hexes
	flags   []string // all flags of the spec, sorted

	members []*member // in the order in which rows name them
	buffer  bytes.Buffer
	decoder *jsontext.Decoder

	// The row at hand.
	cells  []cell  // by column
	values []value // by field
	kept   []bool  // by column: its original goes to source
	raised []bool  // by flag
	found  []string
	tokens tokens
	doc    []byte

	// Counts of all rows so far.
	rows, quarantined int
	missing           []int             // by column
	flagged           []int             // by flag
	others            map[string]*other // by column that is not mapped
}

// other is a column that is not mapped.
type other struct {
	rows  int
	known bool // volatile, ignored or dropped
}

// field is a field of the spec, ready for use.
type field struct {
	dataset.Field
	group, leaf string // address, city; group is empty on the first level
	rule        dataset.Rule
	columns     []int
	copy        int // index of the field this one shows anew
	silent      bool
	defaults    []int64 // milliseconds
	flag        [ruleCount]int
}

// plan holds the fields that whole-row rules and facets look at, by index.
type plan struct {
	start     int
	ends      []int
	closed    int // -1: none
	intervals []interval
	facets    []int // by dimension
	search    []int
	point     int // -1: none

	closedWithoutWidest, closedWithoutDate int // flags
}

type interval struct{ start, end, flag int }

// cell is the row's raw value in a column.
type cell struct {
	raw     jsontext.Value // nil when absent or null
	text    string         // of a string
	present bool           // named in the row, be it null
}

// value is what a field of the document holds. The kind says which of the others counts.
type value struct {
	kind     kind
	text     string
	integer  int64 // integers; dates in milliseconds
	lon, lat float64
	truth    bool
}

type kind uint8

const (
	absent kind = iota
	text
	integer
	double // in lon
	date
	boolean
	point
	pointText
)

// New prepares the rules of a spec.
func New(spec *dataset.Spec) (*Cleaner, error) {
	c := &Cleaner{
		spec:    spec,
		columns: make(map[string]int),
		paths:   make(map[string]int),
		cities:  newCities(spec.Cities),
		hexes:   newHexes(spec.Box),
		flags:   Flags(spec),
		others:  make(map[string]*other),
	}
	fields := slices.DeleteFunc(slices.Clone(spec.Fields), func(f dataset.Field) bool { return f.Drop })
	for _, f := range fields {
		c.names = append(c.names, f.From...)
	}
	slices.Sort(c.names)
	for i, name := range c.names {
		c.columns[name] = i
	}
	for i, f := range fields {
		c.paths[f.Path] = i
	}
	for _, f := range fields {
		compiled := field{Field: f, leaf: f.Path, copy: -1, silent: slices.Contains(spec.Silent, f.Path)}
		if group, leaf, nested := strings.Cut(f.Path, "."); nested {
			compiled.group, compiled.leaf = group, leaf
		}
		if len(f.Rules) > 0 {
			compiled.rule = f.Rules[0]
		}
		for _, column := range f.From {
			compiled.columns = append(compiled.columns, c.columns[column])
		}
		if f.Copy != "" {
			compiled.copy = c.paths[f.Copy]
		}
		for _, d := range f.Defaults {
			day, err := time.Parse(time.DateOnly, d)
			if err != nil {
				return nil, fmt.Errorf("default of %s: %w", f.Path, err)
			}
			compiled.defaults = append(compiled.defaults, day.UnixMilli())
		}
		for _, r := range rulesOf(f) {
			compiled.flag[r] = c.flagIndex(spec.FieldName(f.Path) + "_" + describe(r).Flag)
		}
		c.fields = append(c.fields, compiled)
	}
	key, ok := c.columns[spec.Key]
	if !ok {
		return nil, fmt.Errorf("dataset %s: no field has the key column %q", spec.Name, spec.Key)
	}
	c.key = key

	c.plan = plan{closed: -1, point: -1, start: c.paths[spec.Lifecycle.Start]}
	for _, end := range spec.Lifecycle.End {
		c.plan.ends = append(c.plan.ends, c.paths[end.Path])
	}
	if n := len(spec.Lifecycle.End); n > 1 {
		c.plan.closedWithoutWidest = c.flagIndex("closed_without_" + spec.Lifecycle.End[n-1].Kind + "_end")
	}
	if spec.Lifecycle.Closed != "" {
		c.plan.closed = c.paths[spec.Lifecycle.Closed]
		c.plan.closedWithoutDate = c.flagIndex("closed_without_end_date")
	}
	for _, i := range spec.Lifecycle.Intervals {
		c.plan.intervals = append(c.plan.intervals, interval{c.paths[i.Start], c.paths[i.End], c.flagIndex(i.Name + "_end_before_start")})
	}
	for _, d := range spec.Dimensions {
		c.plan.facets = append(c.plan.facets, c.paths[d.Path])
	}
	for i, f := range c.fields {
		if f.Search {
			c.plan.search = append(c.plan.search, i)
		}
		if f.Type == dataset.Point && c.plan.point < 0 {
			c.plan.point = i
		}
	}

	c.decoder = jsontext.NewDecoder(&c.buffer)
	c.cells = make([]cell, len(c.names))
	c.kept = make([]bool, len(c.names))
	c.values = make([]value, len(c.fields))
	c.raised = make([]bool, len(c.flags))
	c.missing = make([]int, len(c.names))
	c.flagged = make([]int, len(c.flags))
	return c, nil
}

func (c *Cleaner) flagIndex(flag string) int {
	i, _ := slices.BinarySearch(c.flags, flag)
	return i
}

func (c *Cleaner) raise(f *field, r rule) { c.raised[f.flag[r]] = true }

// Clean makes a document of one raw row, a JSON object of source columns. The error says that raw is not one;
// such a page is garbage. Everything else that can be wrong with a row is a flag or a quarantine.
func (c *Cleaner) Clean(raw []byte) (Row, error) {
	clear(c.cells)
	clear(c.values)
	clear(c.kept)
	clear(c.raised)
	if err := c.read(raw); err != nil {
		return Row{}, fmt.Errorf("row is not a JSON object: %w", err)
	}
	c.rows++
	for i := range c.cells {
		if c.cells[i].raw == nil {
			c.missing[i]++
		}
	}
	row := Row{Key: c.cells[c.key].text}
	row.Quarantine = c.judgeKey()
	for i := 0; i < len(c.fields) && row.Quarantine == ""; i++ {
		if f := &c.fields[i]; f.copy < 0 && !c.cleanField(f, &c.values[i]) {
			row.Quarantine = "unreadable value in required column " + c.names[c.first(f)]
		}
	}
	if row.Quarantine != "" {
		c.quarantined++
		return row, nil
	}
	c.judgeRow()
	c.found = c.found[:0]
	for i, raised := range c.raised {
		if raised {
			c.found = append(c.found, c.flags[i])
			c.flagged[i]++
		}
	}
	c.appendDocument()
	row.Document, row.Flags, row.Hash = c.doc, c.found, sha256.Sum256(c.doc)
	return row, nil
}

// judgeKey says why the row's key is none, empty when it is one. A key is never mended: a trimmed key would be
// another row's.
func (c *Cleaner) judgeKey() string {
	key := c.cells[c.key]
	switch {
	case key.raw == nil:
		return "no key"
	case key.raw.Kind() != jsontext.KindString:
		return "key is not text"
	case key.text == "":
		return "key is empty"
	case !squeezed(key.text):
		return "key has white space"
	}
	return ""
}

// first is the preferred column of the field that has a value; -1 when none has.
func (c *Cleaner) first(f *field) int {
	for _, column := range f.columns {
		if c.cells[column].raw != nil {
			return column
		}
	}
	return -1
}

// cleanField makes the field's value. It is false for an unreadable value of a required column.
//
// A document's value without an original in source is one of the field's first column, unaltered. So where
// another column has a value too, or instead, the originals of all of them are kept.
func (c *Cleaner) cleanField(f *field, v *value) bool {
	column := c.first(f)
	if column < 0 {
		return true
	}
	altered, readable := c.cleanValue(f, c.cells[column], v)
	if !readable {
		if f.Required {
			return false
		}
		c.raise(f, unreadable)
		altered = true
	}
	for _, other := range f.columns[1:] {
		altered = altered || c.cells[other].raw != nil
	}
	if altered && !f.silent {
		for _, other := range f.columns {
			c.kept[other] = c.cells[other].raw != nil
		}
	}
	return true
}

// cleanValue makes the value of a cell. altered: the value does not say it as the cell does.
func (c *Cleaner) cleanValue(f *field, from cell, v *value) (altered, readable bool) {
	isText := from.raw.Kind() == jsontext.KindString
	switch f.Type {
	case dataset.Text:
		if !isText {
			return true, false
		}
		clean := squeeze(from.text)
		if clean == "" {
			c.raise(f, blank)
			return true, true
		}
		if clean != from.text {
			c.raise(f, whitespace)
		}
		if clean = c.cleanText(f, clean); clean != "" {
			v.kind, v.text = text, clean
		}
		return clean != from.text, true

	case dataset.Date:
		if !isText {
			return true, false
		}
		ms, altered, ok := c.cleanDate(f, squeeze(from.text))
		if ok {
			v.kind, v.integer = date, ms
		}
		return altered || !squeezed(from.text), ok

	case dataset.Number:
		literal := from.text
		if !isText {
			literal = string(from.raw)
		}
		return c.cleanNumber(f, literal, isText, v)

	case dataset.Bool:
		switch {
		case from.raw.Kind() == jsontext.KindTrue || from.raw.Kind() == jsontext.KindFalse:
			v.kind, v.truth = boolean, from.raw.Kind() == jsontext.KindTrue
			return false, true
		case isText && (strings.EqualFold(from.text, "true") || strings.EqualFold(from.text, "false")):
			c.raise(f, asText)
			v.kind, v.truth = boolean, strings.EqualFold(from.text, "true")
			return true, true
		}
		return true, false

	case dataset.Marker:
		return c.cleanMarker(f, from, v)

	case dataset.Point:
		lon, lat, exact, ok := c.parsePoint(from.raw, from.text)
		if !ok {
			return true, false
		}
		lon, lat, altered, ok := c.cleanPoint(f, lon, lat)
		if ok {
			v.kind, v.lon, v.lat = point, lon, lat
		}
		return altered || !exact, true

	case dataset.PointText:
	}
	return true, false
}

// cleanText applies the field's rule; an empty result is no value.
func (c *Cleaner) cleanText(f *field, s string) string {
	switch f.rule {
	case dataset.RuleName:
		return c.cleanName(f, s)
	case dataset.RuleAddress:
		return c.cleanAddress(f, s)
	case dataset.RuleCity:
		return c.cleanCity(f, s)
	case dataset.RuleState:
		return c.cleanState(f, s)
	case dataset.RuleZip:
		return c.cleanZip(f, s)
	case dataset.RuleNAICS:
		return c.cleanIndustry(f, s)
	case dataset.RuleMultiple:
		if strings.EqualFold(s, "Multiple") {
			c.raise(f, multiple)
		}
	}
	return s
}

// cleanNumber reads a number. Socrata sends numbers as text, which is no alteration.
func (c *Cleaner) cleanNumber(f *field, literal string, isText bool, v *value) (altered, readable bool) {
	trimmed := strings.TrimSpace(literal)
	n, err := strconv.ParseInt(trimmed, 10, 64)
	if err == nil {
		v.kind, v.integer = integer, n
	} else {
		number, _, ok := parseCoordinate([]byte(trimmed))
		if !ok {
			return true, false
		}
		v.kind, v.lon = double, number
	}
	if len(f.Range) == 2 && (v.kind == double || n < int64(f.Range[0]) || n > int64(f.Range[1])) {
		c.raise(f, outOfRange)
	}
	var buf [32]byte
	return !isText || string(appendNumber(buf[:0], *v)) != literal, true
}

// cleanMarker reads a column that is empty or holds one text. Any other text counts as the marker, for the
// register calls a row open only where the column is empty; unless it says no.
func (c *Cleaner) cleanMarker(f *field, from cell, v *value) (altered, readable bool) {
	v.kind, v.truth = boolean, true
	switch from.raw.Kind() {
	case jsontext.KindString:
		if from.text == f.Marker {
			return false, true
		}
		switch plain := strings.ToLower(squeeze(from.text)); plain {
		case "":
			*v = value{}
		case "false", "no", "n":
			v.truth = false
		}
	case jsontext.KindTrue:
	case jsontext.KindFalse:
		v.truth = false
	default:
		*v = value{}
		return true, false
	}
	c.raise(f, unexpected)
	return true, true
}

// judgeRow applies the rules that look at more than one field.
func (c *Cleaner) judgeRow() {
	for i := range c.fields {
		if of := c.fields[i].copy; of >= 0 && c.values[of].kind == point {
			c.values[i] = c.values[of]
			c.values[i].kind = pointText
		}
	}
	for _, i := range c.plan.intervals {
		start, end := c.values[i.start], c.values[i.end]
		if start.kind == date && end.kind == date && end.integer < start.integer {
			c.raised[i.flag] = true
		}
	}
	ends := 0
	for _, i := range c.plan.ends {
		if c.values[i].kind == date {
			ends++
		}
	}
	if n := len(c.plan.ends); n > 1 && c.values[c.plan.ends[0]].kind == date && c.values[c.plan.ends[n-1]].kind != date {
		c.raised[c.plan.closedWithoutWidest] = true
	}
	if ends == 0 && c.isClosed() {
		c.raised[c.plan.closedWithoutDate] = true
	}
}

// isClosed says whether the authority closed the row.
func (c *Cleaner) isClosed() bool {
	return c.plan.closed >= 0 && c.values[c.plan.closed].truth
}

// Profile is what was counted so far.
func (c *Cleaner) Profile() Profile {
	p := Profile{
		Rows:        c.rows,
		Quarantined: c.quarantined,
		Missing:     make(map[string]int, len(c.names)),
		Flags:       make(map[string]int),
		Unknown:     make(map[string]int),
	}
	for i, n := range c.missing {
		p.Missing[c.names[i]] = n
	}
	for i, n := range c.flagged {
		if n > 0 {
			p.Flags[c.flags[i]] = n
		}
	}
	for name, column := range c.others {
		if !column.known {
			p.Unknown[name] = column.rows
		}
	}
	return p
}
