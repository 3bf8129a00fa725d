package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RulesVersion is the version of the cleaning rules (package cleaning). It is
// part of every spec's digest, so raising it makes the next run rewrite every
// row that a changed rule concerns. Raise it with every change that alters a
// document.
const RulesVersion = 2

// Type is the type of a field of the document.
type Type string

// These are the types of fields.
const (
	Text      Type = "text"       // a string
	Number    Type = "number"     // an integer or a double; Socrata sends numbers as strings
	Date      Type = "date"       // a day, kept as UTC midnight of the portal's wall date
	Bool      Type = "bool"       // a checkbox
	Marker    Type = "marker"     // true where the source has the marker's text, absent where it has nothing
	Point     Type = "point"      // a GeoJSON point
	PointText Type = "point_text" // a copy of a point as the portal's CSV shows it: POINT (lon lat)
)

// Forms are the ways of writing a date that a field may name, besides the
// portal's own (2014-10-13T00:00:00.000). Month and day may have one digit where
// a sign stands between; a time of day may follow.
func Forms() []string {
	return []string{"YYYYMMDD", "MM/DD/YYYY", "DD/MM/YYYY", "YYYY/MM/DD", "MM-DD-YYYY", "DD-MM-YYYY", "DD.MM.YYYY"}
}

// Rule names a cleaning rule of a text field.
type Rule string

// These are the rules of text fields; package cleaning says what each does.
const (
	RuleName     Rule = "name"     // placeholders and trailing signs of names
	RuleAddress  Rule = "address"  // placeholders and undeliverable addresses
	RuleCity     Rule = "city"     // spellings of the spec's cities
	RuleState    Rule = "state"    // states of the USA and provinces of Canada
	RuleZip      Rule = "zip"      // postal codes
	RuleNAICS    Rule = "naics"    // industry codes
	RuleMultiple Rule = "multiple" // descriptions that only say "Multiple"
)

// RuleSector is the rule of a dimension that derives the industry sector from
// an industry code.
const RuleSector = "naics_sector"

// Spec describes one dataset. It is read-only once parsed.
type Spec struct {
	Name        string            `yaml:"name" json:"name"`   // [a-z0-9-], at most MaxName characters: part of the database's name
	Title       string            `yaml:"title" json:"title"` // for people
	Portal      Portal            `yaml:"portal" json:"portal"`
	Key         string            `yaml:"key" json:"key"` // source column; its value is the document's _id
	TimeZone    string            `yaml:"time_zone" json:"time_zone"`
	Schedule    Schedule          `yaml:"schedule" json:"schedule"`
	History     History           `yaml:"history,omitempty" json:"history,omitzero"`  // of counts, made after the first load; zero: none
	Volatile    []string          `yaml:"volatile" json:"volatile"`                   // source columns, or prefixes ending in *; not stored
	Untracked   []string          `yaml:"untracked" json:"untracked"`                 // paths whose change alone makes no event
	Ignored     map[string]string `yaml:"ignored,omitempty" json:"ignored,omitempty"` // source column: why it is not stored
	Events      Events            `yaml:"events,omitempty" json:"events"`             // what changes are called
	Fields      []Field           `yaml:"fields" json:"fields"`                       // in the order of the document
	Lifecycle   Lifecycle         `yaml:"lifecycle" json:"lifecycle"`
	Dimensions  []Dimension       `yaml:"dimensions" json:"dimensions"`
	Breaks      []Break           `yaml:"breaks,omitempty" json:"breaks,omitempty"` // dates at which the history breaks
	Cities      Cities            `yaml:"cities,omitempty" json:"cities"`
	Box         Box               `yaml:"box" json:"box"`
	MaxRemovals Limit             `yaml:"max_removals" json:"max_removals"` // that one run makes without approval; of the documents
	// MaxQuarantined is how many rows of a crawl may be in quarantine for it to be
	// written (default DefaultMaxQuarantined).
	MaxQuarantined Limit `yaml:"max_quarantined,omitempty" json:"max_quarantined"`
	// MaxStale is how many rows may keep an older document, being in quarantine,
	// for a certificate to be green (default DefaultMaxStale).
	MaxStale    Limit      `yaml:"max_stale,omitempty" json:"max_stale"`
	License     string     `yaml:"license" json:"license"`
	Attribution string     `yaml:"attribution" json:"attribution"`
	Boundaries  Boundaries `yaml:"boundaries,omitempty" json:"boundaries,omitzero"` // outlines for the map; zero: none

	location  *time.Location
	digest    string
	known     map[string]bool // paths of the document, and whether they are sensitive
	flags     map[string]bool // what flags begin with, and whether that is about a sensitive value
	sensitive []string        // paths of the document
	dropped   []string        // paths that older documents may still have
}

// Portal is where a dataset is published.
type Portal struct {
	Host string `yaml:"host" json:"host" bson:"host"` // without scheme: data.sf.gov
	ID   string `yaml:"id" json:"id" bson:"id"`       // four-by-four: g8m3-pdis
	// FormerHosts are hosts that the portal has moved away from. People still
	// paste addresses with them.
	FormerHosts []string `yaml:"former_hosts,omitempty" json:"former_hosts,omitempty" bson:"former_hosts,omitempty"`
}

// Hosts are the hosts that the portal may move to by a redirect: its own and those
// that it had before.
func (p Portal) Hosts() []string { return append([]string{p.Host}, p.FormerHosts...) }

// BaseURL returns the portal's address, or the override where one is given.
func (p Portal) BaseURL(override string) string {
	if override != "" {
		return override
	}
	return "https://" + p.Host
}

// Schedule says when the mirror runs, in the dataset's time zone, and how late
// it may be before somebody is told.
type Schedule struct {
	Cron    string        `yaml:"cron" json:"cron"`         // minute hour day-of-month month day-of-week, see ParseCron
	Jitter  time.Duration `yaml:"jitter" json:"jitter"`     // a run starts up to this much later
	CatchUp time.Duration `yaml:"catch_up" json:"catch_up"` // a run missed by more than this is dropped
	// Deadline is how long after its start a run should be done. A late run
	// goes on and is reported. 0: no deadline.
	Deadline time.Duration `yaml:"deadline,omitempty" json:"deadline,omitzero"`
	// Freshness is how old the last proof that the mirror equals the portal may
	// be (default DefaultFreshness).
	Freshness time.Duration `yaml:"freshness,omitempty" json:"freshness"`
	// Standstill is how long the portal may publish nothing before somebody is
	// told (default DefaultStandstill): the mirror is right all the while.
	Standstill time.Duration `yaml:"standstill,omitempty" json:"standstill,omitzero"` // the digest leaves the schedule out
}

// History says which counts of the past the first green run has reconstructed,
// without being asked.
type History struct {
	Since string `yaml:"since" json:"since"` // day: 1990-01-01
	Every string `yaml:"every" json:"every"` // month, quarter or year
}

// Everies lists how often counts of the past can be made: rows are dated by month
// there.
func Everies() []string { return []string{"month", "quarter", "year"} }

// These bound what a schedule may ask for.
const (
	MinDeadline = time.Minute
	MaxDeadline = 24 * time.Hour // a daily run that takes longer meets the next one
	// DefaultFreshness is a day, plus two hours for a daily run to start and
	// finish.
	DefaultFreshness = 26 * time.Hour
	// DefaultStandstill is a month, plus some days for a monthly publisher.
	DefaultStandstill = 35 * 24 * time.Hour
	// MinStandstill is a day: few portals publish more often.
	MinStandstill = 24 * time.Hour
	// MinFreshness is how often the freshness is checked.
	MinFreshness = time.Hour
)

// Field is one field of the document: a path of one or two names, and where its
// value comes from.
type Field struct {
	Path        string   `yaml:"path" json:"path"`
	From        []string `yaml:"from,omitempty" json:"from,omitempty"` // source columns, the preferred ones first
	Copy        string   `yaml:"copy,omitempty" json:"copy,omitempty"` // instead of from: the path of the field whose value is shown anew
	Type        Type     `yaml:"type" json:"type"`
	Rules       []Rule   `yaml:"rules,omitempty" json:"rules,omitempty"`
	Required    bool     `yaml:"required,omitempty" json:"required,omitempty"`         // its column must exist, its values be readable
	Sensitive   bool     `yaml:"sensitive,omitempty" json:"sensitive,omitempty"`       // may concern a private person
	Drop        bool     `yaml:"drop,omitempty" json:"drop,omitempty"`                 // its columns are neither requested nor stored
	Search      bool     `yaml:"search,omitempty" json:"search,omitempty"`             // its words become search tokens
	PortalTypes []string `yaml:"portal_types,omitempty" json:"portal_types,omitempty"` // Socrata types the column may have; default by type
	Forms       []string `yaml:"forms,omitempty" json:"forms,omitempty"`               // how dates are written, besides the portal's own way; see Forms
	Defaults    []string `yaml:"defaults,omitempty" json:"defaults,omitempty"`         // dates (2006-01-02) that stand for "not known"
	Range       []int    `yaml:"range,omitempty" json:"range,omitempty"`               // smallest and largest plausible number
	Marker      string   `yaml:"marker,omitempty" json:"marker,omitempty"`             // the text of a marker
	Retired     string   `yaml:"retired,omitempty" json:"retired,omitempty"`           // since when its columns are missing; no warning
}

// Events names the changes of a row by the document paths that changed.
type Events struct {
	Renamed []string `yaml:"renamed,omitempty" json:"renamed,omitempty"`
	Moved   []string `yaml:"moved,omitempty" json:"moved,omitempty"`
}

// FieldName returns the short name of a field, unique in its spec: the prefix
// of its flags. It is the last name of the path where that is unique, else the
// full path with underscores (naics_code, license_code).
func (s *Spec) FieldName(path string) string {
	last := path[strings.LastIndexByte(path, '.')+1:]
	for _, f := range s.Fields {
		if f.Path != path && f.Path[strings.LastIndexByte(f.Path, '.')+1:] == last {
			return strings.ReplaceAll(path, ".", "_")
		}
	}
	return last
}

// Lifecycle says which fields tell when a business opened and closed. A row is
// open while it has none of the ends and no closure.
type Lifecycle struct {
	Start     string     `yaml:"start" json:"start"`                       // path of a date
	End       []End      `yaml:"end" json:"end"`                           // narrowest first; the first present one counts
	Closed    string     `yaml:"closed,omitempty" json:"closed,omitempty"` // path of a marker or bool: closed by the authority
	Intervals []Interval `yaml:"intervals,omitempty" json:"intervals,omitempty"`
}

// End is a date that closes a row, and the kind of closing it stands for
// (facets.closed).
type End struct {
	Path string `yaml:"path" json:"path"`
	Kind string `yaml:"kind" json:"kind"`
	// Expires says that the date is the last day of something that runs until then,
	// such as a license: the row is open through that day. Else an end that is
	// known already closes a row, whenever it comes.
	Expires bool `yaml:"expires,omitempty" json:"expires,omitempty"`
}

// KindAdministrative is the kind of closing (facets.closed) of rows that the
// authority closed. It takes precedence over the kinds of the ends.
const KindAdministrative = "administrative"

// Interval is a pair of dates of which the end must not lie before the start.
// Name is the prefix of the flag for those that do.
type Interval struct {
	Name  string `yaml:"name" json:"name"`
	Start string `yaml:"start" json:"start"`
	End   string `yaml:"end" json:"end"`
}

// Dimension is a small precomputed value that statistics group by.
type Dimension struct {
	Name string `yaml:"name" json:"name"`
	Path string `yaml:"path" json:"path"`                     // the field it is made of
	Rule string `yaml:"rule,omitempty" json:"rule,omitempty"` // RuleSector, or empty: the value as it is
}

// FacetPath returns the document path of the dimension: facets.neighborhood.
func (d Dimension) FacetPath() string { return "facets." + d.Name }

// Cities are the spellings that the rule city folds.
type Cities struct {
	Suffixes []string `yaml:"suffixes,omitempty" json:"suffixes,omitempty"` // words after a city's name that do not belong to it
	Names    []City   `yaml:"names,omitempty" json:"names,omitempty"`
}

// City is a city and its other spellings.
type City struct {
	Name    string   `yaml:"name" json:"name"`
	Aliases []string `yaml:"aliases,omitempty" json:"aliases,omitempty"`
	Zips    []string `yaml:"zips,omitempty" json:"zips,omitempty"` // first digits of its zips: a zip in the city column means this city
}

// Box is the area in which coordinates are plausible, in degrees.
type Box struct {
	West  float64 `yaml:"west" json:"west"`
	South float64 `yaml:"south" json:"south"`
	East  float64 `yaml:"east" json:"east"`
	North float64 `yaml:"north" json:"north"`
}

// Contains reports whether a point lies in the box, edges included.
func (b Box) Contains(lon, lat float64) bool {
	return lon >= b.West && lon <= b.East && lat >= b.South && lat <= b.North
}

// Boundaries are the outlines of the neighborhoods, which the same portal
// publishes as a dataset of its own.
type Boundaries struct {
	ID          string `yaml:"id" json:"id"`       // four-by-four: j2bu-swwd
	Name        string `yaml:"name" json:"name"`   // property with the area's name, as the dimension neighborhood has it
	Title       string `yaml:"title" json:"title"` // for people
	License     string `yaml:"license" json:"license"`
	Attribution string `yaml:"attribution" json:"attribution"`
}

// These are the dimensions that statistics, pages and exports count by. A
// register need not have all of them. A neighborhood and a sector are text, a
// district is text or a number.
const (
	DimensionNeighborhood = "neighborhood" // whose values the boundaries are of
	DimensionSector       = "sector"
	DimensionDistrict     = "district"
)

// Dimensions lists the names that a dimension may have.
func Dimensions() []string {
	return []string{DimensionNeighborhood, DimensionSector, DimensionDistrict}
}

// Limit is a number of rows: a share of all, or a number, whichever is more.
type Limit struct {
	Percent float64 `yaml:"percent" json:"percent"` // 0 to 100
	Rows    int     `yaml:"rows" json:"rows"`
}

// Limits where the spec has none.
var (
	DefaultMaxQuarantined = Limit{Percent: 5, Rows: 10}
	DefaultMaxStale       = Limit{Percent: 0.1, Rows: 10}
)

// Of returns the limit for so many rows.
func (l Limit) Of(rows int64) int64 { return max(int64(float64(rows)*l.Percent/100), int64(l.Rows)) }

func (l Limit) valid() bool { return l.Percent >= 0 && l.Percent <= 100 && l.Rows >= 0 }

// unlessDefault is what of a limit is part of the digest.
func (l Limit) unlessDefault(standard Limit) *Limit {
	if l == standard {
		return nil
	}
	return &l
}

// Digest returns 64 hex digits that identify the spec and the cleaning rules;
// the first 16 are enough for people. Comments, order of keys and layout of the
// file do not change it, nor do schedule, breaks, boundaries, license and
// attribution: no document depends on these.
func (s *Spec) Digest() string { return s.digest }

// Location returns the dataset's time zone.
func (s *Spec) Location() *time.Location { return s.location }

// RequiredColumns returns the first source column of each required field, in
// the order of the fields.
func (s *Spec) RequiredColumns() []string {
	var columns []string
	for _, f := range s.Fields {
		if f.Required {
			columns = append(columns, f.From[0])
		}
	}
	return columns
}

// Field returns the field with this path.
func (s *Spec) Field(path string) (Field, bool) {
	i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Path == path })
	if i < 0 {
		return Field{}, false
	}
	return s.Fields[i], true
}

// ColumnOf returns the preferred source column of the field with this path,
// empty when there is none. A copy has the column of the field it copies, a
// facet (facets.neighborhood) that of its dimension, _id the key column.
func (s *Spec) ColumnOf(path string) string {
	if path == "_id" {
		return s.Key
	}
	for _, d := range s.Dimensions {
		if d.FacetPath() == path {
			return s.ColumnOf(d.Path)
		}
	}
	f, ok := s.Field(path)
	switch {
	case !ok:
		return ""
	case f.Copy != "":
		return s.ColumnOf(f.Copy)
	default:
		return f.From[0]
	}
}

// IsVolatile reports whether a source column is neither stored nor hashed.
func (s *Spec) IsVolatile(column string) bool {
	if s.mapped(column) {
		return false
	}
	return slices.ContainsFunc(s.Volatile, func(v string) bool {
		prefix, pattern := strings.CutSuffix(v, "*")
		return v == column || pattern && strings.HasPrefix(column, prefix)
	})
}

// Requested reports whether the rows of a page are asked for with this column:
// those that are not are neither stored nor counted. Without volatile columns a
// row that did not change comes with the same bytes as before.
func (s *Spec) Requested(column string) bool {
	_, ignored := s.Ignored[column]
	return !ignored && !s.Dropped(column) && !s.IsVolatile(column)
}

// Dropped reports whether a source column belongs to a field that the spec
// drops: it is neither requested from the portal nor stored.
func (s *Spec) Dropped(column string) bool {
	return slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Drop && slices.Contains(f.From, column) })
}

// Sensitive reports whether the value at a path of the document may concern a
// private person: that of a sensitive field, what is derived from it (copies,
// facets, search tokens, the hash), its original in source, parts of these, and
// sub-documents that contain one of them. A value of quality.flags is asked for
// below its path: quality.flags.mail_city_folded.
//
// A path that the spec does not know is sensitive: an older spec may have made
// the value, and nobody says any more what it was. So are fields that the spec
// drops, which older documents may still have.
func (s *Spec) Sensitive(path string) bool {
	if sensitive, ok := s.known[path]; ok {
		return sensitive
	}
	if flag, ok := strings.CutPrefix(path, flagsPath+"."); ok {
		return s.sensitiveFlag(flag)
	}
	if touches(s.sensitive, path) {
		return true
	}
	for known := range s.known {
		if within(path, known) || within(known, path) {
			return false
		}
	}
	return true
}

// flagsPath is where a document has what cleaning remarked on.
const flagsPath = "quality.flags"

// sensitiveFlag reports whether a flag tells of a sensitive value: the longest
// of the beginnings that it has says what it is about.
func (s *Spec) sensitiveFlag(flag string) bool {
	longest, sensitive := "", true
	for beginning, is := range s.flags {
		if strings.HasPrefix(flag, beginning) && len(beginning) > len(longest) {
			longest, sensitive = beginning, is
		}
	}
	return sensitive
}

// flagBeginnings returns what flags begin with, by what they are about, and
// whether that is sensitive: the name of a field or of an interval, or the
// closing of the row.
func (s *Spec) flagBeginnings() map[string]bool {
	flags := map[string]bool{"closed_without_": s.Sensitive("facets.closed")}
	for _, i := range s.Lifecycle.Intervals {
		flags[i.Name+"_"] = s.Sensitive(i.Start) || s.Sensitive(i.End)
	}
	for _, f := range s.Fields {
		flags[s.FieldName(f.Path)+"_"] = s.Sensitive(f.Path)
	}
	return flags
}

// DroppedPath reports whether the value at a path of a document made by an
// older spec is one that this spec drops, as Sensitive does for sensitive
// values. The event of the change must not keep it.
func (s *Spec) DroppedPath(path string) bool { return touches(s.dropped, path) }

// touches reports whether a path is one of paths, lies below one, or has one
// below it.
func touches(paths []string, path string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return p == path || within(path, p) || within(p, path) })
}

// within reports whether path lies below parent.
func within(path, parent string) bool {
	return len(path) > len(parent) && path[len(parent)] == '.' && strings.HasPrefix(path, parent)
}

// pathsOf returns the paths at which a document holds the values of certain
// fields, and values derived from them. No dimension and no date of the lifecycle
// is one of them (validateUses).
func (s *Spec) pathsOf(is func(Field) bool) []string {
	var paths []string
	for _, f := range s.Fields {
		of := f
		if f.Copy != "" {
			of, _ = s.Field(f.Copy)
		}
		if !is(f) && !is(of) {
			continue
		}
		paths = append(paths, f.Path)
		for _, column := range f.From {
			paths = append(paths, "source."+column)
			if column == s.Key {
				paths = append(paths, "_id")
			}
		}
		if f.Search {
			paths = append(paths, "facets.tokens")
		}
		if f.Type == Point {
			paths = append(paths, "facets.cell")
		}
	}
	return paths
}

func (s *Spec) mapped(column string) bool {
	return slices.ContainsFunc(s.Fields, func(f Field) bool { return slices.Contains(f.From, column) })
}

// finish computes what is derived from a checked spec.
func (s *Spec) finish() error {
	location, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return fmt.Errorf("time zone of dataset %s: %w", s.Name, err)
	}
	digested := *s
	digested.Schedule, digested.Breaks, digested.License, digested.Attribution = Schedule{}, nil, "", ""
	digested.Boundaries, digested.History = Boundaries{}, History{}
	// Later than the first digests: only where the spec sets them, so that mirrors
	// made before do not seem to be made by another spec.
	normal, err := json.Marshal(&struct {
		*Spec
		MaxQuarantined *Limit `json:"max_quarantined,omitempty"`
		MaxStale       *Limit `json:"max_stale,omitempty"`
	}{&digested, s.MaxQuarantined.unlessDefault(DefaultMaxQuarantined), s.MaxStale.unlessDefault(DefaultMaxStale)})
	if err != nil {
		return fmt.Errorf("digest of dataset %s: %w", s.Name, err)
	}
	// These keys had other names when digests were first stored. The digest
	// keeps the old names, so that existing mirrors do not seem to be made by
	// another spec.
	normal = bytes.Replace(normal, []byte(`,"untracked":`), []byte(`,"silent":`), 1)
	normal = bytes.Replace(normal, []byte(`,"max_removals":{"percent"`), []byte(`,"brake":{"percent"`), 1)
	sum := sha256.Sum256(fmt.Appendf(normal, "\nrules %d", RulesVersion))
	s.location, s.digest = location, hex.EncodeToString(sum[:])
	s.dropped = s.pathsOf(func(f Field) bool { return f.Drop })
	s.sensitive = slices.Concat(s.pathsOf(func(f Field) bool { return f.Sensitive }), s.dropped)
	if slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Sensitive && !f.Drop }) {
		s.sensitive = append(s.sensitive, "lineage.hash", "lineage.row") // whoever guesses a value could see whether it is right
	}
	s.known = s.knownPaths()
	s.flags = s.flagBeginnings()
	return nil
}

// knownPaths returns the paths of the values that the spec's documents have,
// and whether each is sensitive.
func (s *Spec) knownPaths() map[string]bool {
	known := map[string]bool{}
	for _, e := range s.Dictionary() {
		if e.Path == "source" { // its columns are known one by one
			continue
		}
		known[e.Path] = touches(s.sensitive, e.Path)
	}
	for _, f := range s.Fields {
		known[f.Path] = touches(s.sensitive, f.Path)
		for _, column := range f.From {
			known["source."+column] = touches(s.sensitive, "source."+column)
		}
	}
	return known
}
