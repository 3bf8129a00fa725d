// Package dataset holds the dataset specs: what a register on a Socrata portal looks like, and what becomes of
// each of its columns. A spec is a YAML file, checked when it is read; another city is another file.
package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RulesVersion is the version of the cleaning rules (package cleaning). It is part of every spec's digest, so
// raising it makes the next run rewrite every row that a changed rule concerns. Raise it with every change that
// alters a document.
const RulesVersion = 1

// Type is the type of a field's values in the document.
type Type string

// The types of fields.
const (
	Text      Type = "text"       // a string
	Number    Type = "number"     // an integer or a double; Socrata sends numbers as strings
	Date      Type = "date"       // a day, kept as UTC midnight of the portal's wall date
	Bool      Type = "bool"       // a checkbox
	Marker    Type = "marker"     // true where the source has the marker's text, absent where it has nothing
	Point     Type = "point"      // a GeoJSON point
	PointText Type = "point_text" // a copy of a point as the portal's CSV shows it: POINT (lon lat)
)

// Rule names a cleaning rule of a text field.
type Rule string

// The rules of text fields; package cleaning says what each does.
const (
	RuleName     Rule = "name"     // placeholders and trailing signs of names
	RuleAddress  Rule = "address"  // placeholders and undeliverable addresses
	RuleCity     Rule = "city"     // spellings of the spec's cities
	RuleState    Rule = "state"    // states of the USA and provinces of Canada
	RuleZip      Rule = "zip"      // postal codes
	RuleNAICS    Rule = "naics"    // industry codes
	RuleMultiple Rule = "multiple" // descriptions that only say "Multiple"
)

// RuleSector is the rule of a dimension that makes an industry sector of an industry code.
const RuleSector = "naics_sector"

// Spec says everything Padron knows of one dataset. It is read-only once parsed.
type Spec struct {
	Name        string            `yaml:"name" json:"name"`   // [a-z0-9-], at most MaxName characters: part of the database's name
	Title       string            `yaml:"title" json:"title"` // for people
	Portal      Portal            `yaml:"portal" json:"portal"`
	Key         string            `yaml:"key" json:"key"` // source column; its value is the document's _id
	TimeZone    string            `yaml:"time_zone" json:"time_zone"`
	Schedule    Schedule          `yaml:"schedule" json:"schedule"`
	Volatile    []string          `yaml:"volatile" json:"volatile"`                   // source columns, or prefixes ending in *; not stored
	Silent      []string          `yaml:"silent" json:"silent"`                       // document paths whose change alone is no change event
	Ignored     map[string]string `yaml:"ignored,omitempty" json:"ignored,omitempty"` // source column: why it is not stored
	Events      Events            `yaml:"events,omitempty" json:"events"`             // what changes are called
	Fields      []Field           `yaml:"fields" json:"fields"`                       // in the order of the document
	Lifecycle   Lifecycle         `yaml:"lifecycle" json:"lifecycle"`
	Dimensions  []Dimension       `yaml:"dimensions" json:"dimensions"`
	Breaks      []Break           `yaml:"breaks,omitempty" json:"breaks,omitempty"` // dates at which the history breaks
	Cities      Cities            `yaml:"cities,omitempty" json:"cities"`
	Box         Box               `yaml:"box" json:"box"`
	Brake       Brake             `yaml:"brake" json:"brake"`
	License     string            `yaml:"license" json:"license"`
	Attribution string            `yaml:"attribution" json:"attribution"`
	Boundaries  Boundaries        `yaml:"boundaries,omitempty" json:"boundaries,omitzero"` // outlines for the map; zero: none

	location  *time.Location
	digest    string
	sensitive []string // paths of the document
	dropped   []string // paths that older documents may still have
}

// Portal is where a dataset is published.
type Portal struct {
	Host string `yaml:"host" json:"host" bson:"host"` // without scheme: data.sf.gov
	ID   string `yaml:"id" json:"id" bson:"id"`       // four-by-four: g8m3-pdis
	// FormerHosts are hosts that the portal moved from: people still paste addresses with them.
	FormerHosts []string `yaml:"former_hosts,omitempty" json:"former_hosts,omitempty" bson:"former_hosts,omitempty"`
}

// BaseURL is the portal's address, or the override where one is given.
func (p Portal) BaseURL(override string) string {
	if override != "" {
		return override
	}
	return "https://" + p.Host
}

// Schedule says when the mirror runs, in the dataset's time zone, and how late it may be before somebody is told.
type Schedule struct {
	Cron    string        `yaml:"cron" json:"cron"`         // minute hour day-of-month month day-of-week
	Jitter  time.Duration `yaml:"jitter" json:"jitter"`     // a run starts up to this much later
	CatchUp time.Duration `yaml:"catch_up" json:"catch_up"` // a run missed by more than this is dropped
	// Deadline is how long after its start a run should be done. One that is not goes on, and is reported. 0: none.
	Deadline time.Duration `yaml:"deadline,omitempty" json:"deadline,omitzero"`
	// Freshness is how old the last proof that the mirror equals the portal may be (default DefaultFreshness).
	Freshness time.Duration `yaml:"freshness,omitempty" json:"freshness"`
}

// Bounds of what a schedule may ask for.
const (
	MinDeadline = time.Minute
	MaxDeadline = 24 * time.Hour // a daily run that takes longer meets the next one
	// DefaultFreshness is a day, and two hours for a daily run to start and do its work.
	DefaultFreshness = 26 * time.Hour
	// MinFreshness is how often the freshness is looked at.
	MinFreshness = time.Hour
)

// Field is one field of the document: a path of one or two names, and where its value comes from.
type Field struct {
	Path        string   `yaml:"path" json:"path"`
	From        []string `yaml:"from,omitempty" json:"from,omitempty"` // source columns in order of preference: the first that has a value is taken
	Copy        string   `yaml:"copy,omitempty" json:"copy,omitempty"` // instead of from: the path of the field whose value is shown anew
	Type        Type     `yaml:"type" json:"type"`
	Rules       []Rule   `yaml:"rules,omitempty" json:"rules,omitempty"`
	Required    bool     `yaml:"required,omitempty" json:"required,omitempty"`         // its column must exist, and a value in it must be readable; a row may lack it
	Sensitive   bool     `yaml:"sensitive,omitempty" json:"sensitive,omitempty"`       // may concern a private person
	Drop        bool     `yaml:"drop,omitempty" json:"drop,omitempty"`                 // its columns are known, but neither asked of the portal nor stored
	Search      bool     `yaml:"search,omitempty" json:"search,omitempty"`             // its words become search tokens
	PortalTypes []string `yaml:"portal_types,omitempty" json:"portal_types,omitempty"` // Socrata types the column may have; default by type
	Defaults    []string `yaml:"defaults,omitempty" json:"defaults,omitempty"`         // dates (2006-01-02) that stand for "not known"
	Range       []int    `yaml:"range,omitempty" json:"range,omitempty"`               // smallest and largest plausible number
	Marker      string   `yaml:"marker,omitempty" json:"marker,omitempty"`             // the text of a marker
	Retired     string   `yaml:"retired,omitempty" json:"retired,omitempty"`           // since when the portal has none of its columns: that they are missing is no news
}

// Events says what a change of a row is called, by the document paths of the fields that changed.
type Events struct {
	Renamed []string `yaml:"renamed,omitempty" json:"renamed,omitempty"`
	Moved   []string `yaml:"moved,omitempty" json:"moved,omitempty"`
}

// FieldName is the short name of a field, unique in its spec: the prefix of its flags. It is the last name of the
// path where that is unique, else the whole path with underscores (naics_code, license_code).
func (s *Spec) FieldName(path string) string {
	last := path[strings.LastIndexByte(path, '.')+1:]
	for _, f := range s.Fields {
		if f.Path != path && f.Path[strings.LastIndexByte(f.Path, '.')+1:] == last {
			return strings.ReplaceAll(path, ".", "_")
		}
	}
	return last
}

// Lifecycle says which fields tell when a business opened and closed. A row is open while it has none of the
// ends and no closure.
type Lifecycle struct {
	Start     string     `yaml:"start" json:"start"`                       // path of a date
	End       []End      `yaml:"end" json:"end"`                           // from the narrowest to the widest: the first present one is the row's end
	Closed    string     `yaml:"closed,omitempty" json:"closed,omitempty"` // path of a marker or bool: closed by the authority
	Intervals []Interval `yaml:"intervals,omitempty" json:"intervals,omitempty"`
}

// End is a date that closes a row, and the kind of closing it stands for (facets.closed).
type End struct {
	Path string `yaml:"path" json:"path"`
	Kind string `yaml:"kind" json:"kind"`
}

// KindAdministrative is the kind of closing (facets.closed) of rows the authority closed; it goes before the
// kinds of the ends.
const KindAdministrative = "administrative"

// Interval is a pair of dates of which the end must not lie before the start; Name begins the flag that says so.
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

// FacetPath is the document path of the dimension: facets.neighborhood.
func (d Dimension) FacetPath() string { return "facets." + d.Name }

// Cities are the spellings that rule city folds.
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

// Contains says whether a point lies in the box, edges included.
func (b Box) Contains(lon, lat float64) bool {
	return lon >= b.West && lon <= b.East && lat >= b.South && lat <= b.North
}

// Boundaries are the outlines of the neighborhoods, which the same portal publishes as a dataset of its own.
type Boundaries struct {
	ID          string `yaml:"id" json:"id"`       // four-by-four: j2bu-swwd
	Name        string `yaml:"name" json:"name"`   // property with the area's name, as the dimension neighborhood has it
	Title       string `yaml:"title" json:"title"` // for people
	License     string `yaml:"license" json:"license"`
	Attribution string `yaml:"attribution" json:"attribution"`
}

// DimensionNeighborhood is the dimension whose values the boundaries are of.
const DimensionNeighborhood = "neighborhood"

// Brake bounds how many rows one run may remove without approval: the larger of the two.
type Brake struct {
	Percent float64 `yaml:"percent" json:"percent"` // of the rows in the mirror
	Rows    int     `yaml:"rows" json:"rows"`
}

// Digest identifies the spec and the cleaning rules: 64 hex digits, of which the first 16 are enough to show.
// Comments, order of keys and layout of the file do not matter, nor do schedule, breaks, boundaries, license and
// attribution: none of these makes a document another one.
func (s *Spec) Digest() string { return s.digest }

// Location is the dataset's time zone.
func (s *Spec) Location() *time.Location { return s.location }

// RequiredColumns are the source columns of required fields, in the order of the fields; of aliases the first.
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

// ColumnOf is the preferred source column of the field with this path; empty when there is none. A copy has the
// column of what it copies, a facet (facets.neighborhood) that of its dimension, _id that of the key.
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

// IsVolatile says whether a source column is neither stored nor hashed.
func (s *Spec) IsVolatile(column string) bool {
	if s.mapped(column) {
		return false
	}
	return slices.ContainsFunc(s.Volatile, func(v string) bool {
		prefix, pattern := strings.CutSuffix(v, "*")
		return v == column || pattern && strings.HasPrefix(column, prefix)
	})
}

// Dropped says whether a source column belongs to a field that the spec drops: it is neither asked of the portal
// nor stored.
func (s *Spec) Dropped(column string) bool {
	return slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Drop && slices.Contains(f.From, column) })
}

// Sensitive says whether the value at a path of the document may concern a private person: that of a sensitive
// field, what is made of it (copies, facets, search tokens), its original in source, a part of these, or a
// sub-document with one of them in it. It says so of dropped fields too, which older documents may still have.
func (s *Spec) Sensitive(path string) bool { return touches(s.sensitive, path) }

// SensitivePaths are the paths at which a document holds what Sensitive says of, in alphabetical order, none of them
// within another: a projection that leaves them out leaves out every such value.
func (s *Spec) SensitivePaths() []string {
	paths := slices.Clone(s.sensitive)
	slices.Sort(paths)
	paths = slices.Compact(paths)
	return slices.DeleteFunc(paths, func(p string) bool {
		return slices.ContainsFunc(s.sensitive, func(parent string) bool { return within(p, parent) })
	})
}

// DroppedPath says whether the value at a path of a document, which an older spec made, holds what this spec drops,
// as Sensitive does for sensitive values. What is told of the change from one to the other must not keep it.
func (s *Spec) DroppedPath(path string) bool { return touches(s.dropped, path) }

// touches says whether a path is one of paths, lies below one, or has one below it.
func touches(paths []string, path string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return p == path || within(path, p) || within(p, path) })
}

// within says whether path lies below parent.
func within(path, parent string) bool {
	return len(path) > len(parent) && path[len(parent)] == '.' && strings.HasPrefix(path, parent)
}

// pathsOf are the paths at which a document holds values of certain fields, and what is made of them.
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
		for _, d := range s.Dimensions {
			if d.Path == f.Path {
				paths = append(paths, d.FacetPath())
			}
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
	digested.Boundaries = Boundaries{}
	normal, err := json.Marshal(&digested)
	if err != nil {
		return fmt.Errorf("digest of dataset %s: %w", s.Name, err)
	}
	sum := sha256.Sum256(fmt.Appendf(normal, "\nrules %d", RulesVersion))
	s.location, s.digest = location, hex.EncodeToString(sum[:])
	s.sensitive = s.pathsOf(func(f Field) bool { return f.Sensitive })
	s.dropped = s.pathsOf(func(f Field) bool { return f.Drop })
	return nil
}
