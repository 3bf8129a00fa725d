package cleaning

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
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
	// Fingerprint is of the raw row and of what was counted of it, for Pass; nil
	// for a row that has to be cleaned each time.
	Fingerprint []byte
}

// Profile counts what a Cleaner has cleaned so far.
type Profile struct {
	Rows        int            `json:"rows" bson:"rows"` // all, quarantined ones included
	Quarantined int            `json:"quarantined" bson:"quarantined"`
	Missing     map[string]int `json:"missing" bson:"missing"` // source column: rows without a value in it; every mapped column is there
	Flags       map[string]int `json:"flags" bson:"flags"`     // flag: clean rows that have it
	Unknown     map[string]int `json:"unknown" bson:"unknown"` // source column the spec does not know: rows with it
}

// Cleaner cleans the rows of one dataset. It is not for concurrent use: each
// page has its own.
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

	day int64 // see AsOf; milliseconds

	members []*member // in the order in which rows name them
	buffer  bytes.Buffer
	decoder *jsontext.Decoder

	// State of the current row.
	cells   []cell  // by column
	values  []value // by field
	kept    []bool  // by column: its original goes to source
	raised  []bool  // by flag
	strange bool    // it has a column that the spec does not know
	found   []string
	tokens  tokens
	doc     []byte
	prints  fingerprints

	// Counts over all rows so far.
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
	untracked   bool
	defaults    []int64 // milliseconds
	flag        [ruleCount]int
}

// plan holds the fields, by index, that facets and the rules over several
// fields use.
type plan struct {
	start     int
	ends      []int
	closed    int // -1: none
	intervals []interval
	facets    []int // by dimension
	search    []searched
	point     int // -1: none

	closedWithoutWidest, closedWithoutDate int // flags
}

type interval struct{ start, end, flag int }

// searched is a field whose words become search tokens, with this mark.
type searched struct {
	field int
	mark  string
}

// cell is the row's raw value in a column.
type cell struct {
	raw     jsontext.Value // nil when absent or null
	text    string         // of a string
	present bool           // named in the row, be it null
}

// New returns a Cleaner for the rows of a spec. The error says what of the spec
// cannot be used; a parsed spec has none.
func New(spec *dataset.Spec) (*Cleaner, error) {
	c := &Cleaner{
		spec:    spec,
		columns: make(map[string]int),
		paths:   make(map[string]int),
		cities:  newCities(spec.Cities),
		hexes:   newHexes(spec.Box),
		day:     math.MaxInt64,
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
		compiled, err := c.compile(f)
		if err != nil {
			return nil, err
		}
		c.fields = append(c.fields, compiled)
	}
	key, ok := c.columns[spec.Key]
	if !ok {
		return nil, fmt.Errorf("dataset %s: no field has the key column %q", spec.Name, spec.Key)
	}
	c.key = key
	c.plan = c.newPlan()

	c.decoder = jsontext.NewDecoder(&c.buffer)
	c.prints = newFingerprints(spec, c.names, c.flags)
	c.cells = make([]cell, len(c.names))
	c.kept = make([]bool, len(c.names))
	c.values = make([]value, len(c.fields))
	c.raised = make([]bool, len(c.flags))
	c.missing = make([]int, len(c.names))
	c.flagged = make([]int, len(c.flags))
	return c, nil
}

// AsOf says which day the rows are of, in the dataset's time zone: that of the
// portal's version. Ends that expire (dataset.End) count from then on. Without
// it none is in the future.
func (c *Cleaner) AsOf(day time.Time) {
	year, month, date := day.Date()
	c.day = time.Date(year, month, date, 0, 0, 0, 0, time.UTC).UnixMilli()
}

// compile prepares a field for use.
func (c *Cleaner) compile(f dataset.Field) (field, error) {
	compiled := field{Field: f, leaf: f.Path, copy: -1, untracked: slices.Contains(c.spec.Untracked, f.Path)}
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
			return field{}, fmt.Errorf("default of %s: %w", f.Path, err)
		}
		compiled.defaults = append(compiled.defaults, day.UnixMilli())
	}
	for _, r := range rulesOf(f) {
		compiled.flag[r] = c.flagIndex(c.spec.FieldName(f.Path) + "_" + describe(r).Flag)
	}
	return compiled, nil
}

// newPlan finds the fields and flags that the plan needs.
func (c *Cleaner) newPlan() plan {
	p := plan{closed: -1, point: -1, start: c.paths[c.spec.Lifecycle.Start]}
	for _, end := range c.spec.Lifecycle.End {
		p.ends = append(p.ends, c.paths[end.Path])
	}
	if n := len(c.spec.Lifecycle.End); n > 1 {
		p.closedWithoutWidest = c.flagIndex("closed_without_" + c.spec.Lifecycle.End[n-1].Kind + "_end")
	}
	if c.spec.Lifecycle.Closed != "" {
		p.closed = c.paths[c.spec.Lifecycle.Closed]
		p.closedWithoutDate = c.flagIndex("closed_without_end_date")
	}
	for _, i := range c.spec.Lifecycle.Intervals {
		p.intervals = append(p.intervals, interval{c.paths[i.Start], c.paths[i.End], c.flagIndex(i.Name + "_end_before_start")})
	}
	for _, d := range c.spec.Dimensions {
		p.facets = append(p.facets, c.paths[d.Path])
	}
	for i, f := range c.fields {
		if f.Search {
			of := searched{field: i}
			if c.spec.Sensitive(f.Path) {
				of.mark = SearchMark
			}
			p.search = append(p.search, of)
		}
		if f.Type == dataset.Point && p.point < 0 {
			p.point = i
		}
	}
	return p
}

func (c *Cleaner) flagIndex(flag string) int {
	i, _ := slices.BinarySearch(c.flags, flag)
	return i
}

func (c *Cleaner) raise(f *field, r rule) { c.raised[f.flag[r]] = true }

// Clean makes a document of one raw row, a JSON object of source columns. It
// returns an error only when raw is not a JSON object: then the page is
// garbage. Everything else that can be wrong with a row is a flag or a
// quarantine: so is what would be refused by a decoder, the database or one of
// its indexes. The key of a quarantined row has U+FFFD for what is not valid
// text.
func (c *Cleaner) Clean(raw []byte) (Row, error) {
	clear(c.cells)
	clear(c.values)
	clear(c.kept)
	clear(c.raised)
	c.strange = false
	poison, err := c.read(raw)
	if err != nil {
		return Row{}, fmt.Errorf("row is not a JSON object: %w", err)
	}
	c.rows++
	for i := range c.cells {
		if c.cells[i].raw == nil {
			c.missing[i]++
		}
	}
	row := Row{Key: c.cells[c.key].text}
	if row.Quarantine = poison; poison == "" {
		row.Quarantine = c.judgeKey()
	}
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
		}
	}
	if c.appendDocument(); len(c.doc) > maxDocument {
		row.Quarantine = fmt.Sprintf("document of more than %d bytes", maxDocument)
		c.quarantined++
		return row, nil
	}
	for i, raised := range c.raised {
		if raised {
			c.flagged[i]++
		}
	}
	row.Document, row.Flags, row.Hash = c.doc, c.found, sha256.Sum256(c.doc)
	row.Fingerprint = c.fingerprint(raw, row.Hash)
	return row, nil
}

// judgeKey returns why the row's key cannot be used, empty for a good one. A
// key is never corrected: a trimmed key would be another row's.
func (c *Cleaner) judgeKey() string {
	key := c.cells[c.key]
	switch {
	case key.raw == nil:
		return "no key"
	case key.raw.Kind() != jsontext.KindString:
		return "key is not text"
	case key.text == "":
		return "key is empty"
	case len(key.text) > maxKey:
		return fmt.Sprintf("key of more than %d bytes", maxKey)
	case !squeezed(key.text):
		return "key has white space"
	}
	return ""
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
	widest := c.plan.ends[len(c.plan.ends)-1]
	if c.ended(0) && c.values[widest].kind != date {
		c.raised[c.plan.closedWithoutWidest] = true
	}
	hasEnd := slices.ContainsFunc(c.plan.ends, func(i int) bool { return c.values[i].kind == date })
	if !hasEnd && c.isClosed() {
		c.raised[c.plan.closedWithoutDate] = true
	}
}

// isClosed reports whether the authority closed the row.
func (c *Cleaner) isClosed() bool {
	return c.plan.closed >= 0 && c.values[c.plan.closed].truth
}

// Profile returns the counts so far.
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
