package dataset

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// MaxName bounds a dataset's name, in bytes. MongoDB allows 63 bytes for a
// database's name, and the name follows the configured prefix.
const MaxName = 30

// validate checks what the YAML types cannot express.
func (s *Spec) validate(at errorAt) error {
	var (
		idShape     = regexp.MustCompile(`^[a-z0-9]{4}-[a-z0-9]{4}$`)
		columnShape = regexp.MustCompile(`^:?@?[a-z0-9_][a-z0-9_-]*$`)
		wordShape   = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	)
	if err := s.validateHead(idShape, at); err != nil {
		return err
	}
	if err := s.validateFields(columnShape, wordShape, at); err != nil {
		return err
	}
	if err := s.validateVolatile(columnShape, at); err != nil {
		return err
	}
	if err := s.validateChanges(at); err != nil {
		return err
	}
	if err := s.validateBreaks(at); err != nil {
		return err
	}
	if err := s.validateBoundaries(idShape, columnShape, at); err != nil {
		return err
	}
	return s.validateUses(wordShape, at)
}

// errorAt makes the error for the place of a path in the file.
type errorAt func(path, format string, args ...any) error

// validateHead checks everything about the dataset as one: its name, portal,
// schedule and limits.
func (s *Spec) validateHead(idShape *regexp.Regexp, at errorAt) error {
	var (
		nameShape = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
		hostShape = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?$`)
	)
	switch {
	case !nameShape.MatchString(s.Name) || len(s.Name) > MaxName:
		return at("name", "%q is no dataset name: lower-case letters, digits and single hyphens, at most %d characters", s.Name, MaxName)
	case strings.HasSuffix(s.Name, "-portal"):
		return at("name", "%q ends with -portal, as the task queues of requests to portals do: choose another name", s.Name)
	case s.Title == "":
		return at("title", "is missing")
	case !hostShape.MatchString(s.Portal.Host):
		return at("portal.host", "%q is no host name (data.sf.gov, without https://)", s.Portal.Host)
	case !idShape.MatchString(s.Portal.ID):
		return at("portal.id", "%q is no dataset id (four letters or digits, a hyphen, four more: g8m3-pdis)", s.Portal.ID)
	case slices.ContainsFunc(s.Portal.FormerHosts, func(h string) bool { return !hostShape.MatchString(h) }):
		return at("portal.former_hosts", "%q: expected host names (data.sfgov.org, without https://)", s.Portal.FormerHosts)
	case s.Key == "":
		return at("key", "is missing: the source column whose value identifies a row")
	case s.TimeZone == "" || s.TimeZone == "Local":
		return at("time_zone", "is missing: an IANA name (America/Los_Angeles)")
	case s.License == "":
		return at("license", "is missing: under what terms the portal publishes the dataset")
	case s.Attribution == "":
		return at("attribution", "is missing: who publishes the dataset")
	case s.Schedule.Jitter < 0 || s.Schedule.CatchUp < 0:
		return at("schedule", "jitter and catch_up must not be negative")
	case s.Schedule.Deadline != 0 && (s.Schedule.Deadline < MinDeadline || s.Schedule.Deadline > MaxDeadline):
		return at("schedule", "deadline is 1m to 24h, or not there for none")
	case s.Schedule.Freshness < MinFreshness:
		return at("schedule", "freshness is at least 1h: it is looked at once an hour")
	case s.Schedule.Standstill < MinStandstill:
		return at("schedule", "standstill is at least 24h")
	case s.Box.West >= s.Box.East || s.Box.South >= s.Box.North,
		s.Box.West < -180 || s.Box.East > 180 || s.Box.South < -90 || s.Box.North > 90:
		return at("box", "expected degrees with west < east and south < north")
	case len(s.Fields) == 0:
		return at("fields", "is missing: every stored column needs a field")
	}
	for _, limit := range []struct {
		key string
		Limit
	}{{"max_removals", s.MaxRemovals}, {"max_quarantined", s.MaxQuarantined}, {"max_stale", s.MaxStale}} {
		if !limit.valid() {
			return at(limit.key, "percent is 0 to 100 and rows not negative")
		}
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil {
		return at("time_zone", "%q is no IANA time zone (America/Los_Angeles)", s.TimeZone)
	}
	if _, err := ParseCron(s.Schedule.Cron); err != nil {
		return at("schedule.cron", "%s", err)
	}
	return s.History.validate(at)
}

// validate checks how far back the counts of the past go, and how often.
func (h History) validate(at errorAt) error {
	if h == (History{}) {
		return nil
	}
	since, err := time.Parse(time.DateOnly, h.Since)
	switch {
	case err != nil || since.Year() < 1800:
		return at("history.since", "%q is no day since 1800 (1990-01-01)", h.Since)
	case !slices.Contains(Everies(), h.Every):
		return at("history.every", "%q: use %s", h.Every, strings.Join(Everies(), ", "))
	}
	return nil
}

// validateFields checks the fields, and that each column is mapped once.
func (s *Spec) validateFields(columnShape, wordShape *regexp.Regexp, at errorAt) error {
	mapped := make(map[string]string) // column: where
	paths := make(map[string]bool)
	groups := make(map[string]int) // first name of a path: index of the last field in it
	for i, f := range s.Fields {
		where := fmt.Sprintf("fields[%d]", i)
		names := strings.Split(f.Path, ".")
		if len(names) > 2 || slices.ContainsFunc(names, func(n string) bool { return !wordShape.MatchString(n) }) {
			return at(where+".path", "%q is no document path: one or two lower-case names (address.city)", f.Path)
		}
		if slices.Contains([]string{"_id", "facets", "quality", "source", "lineage"}, names[0]) {
			return at(where+".path", "%q is a name Padron keeps for itself", names[0])
		}
		if paths[f.Path] {
			return at(where+".path", "%s is there twice", f.Path)
		}
		if last, seen := groups[names[0]]; seen && (last != i-1 || len(names) == 1 || !strings.Contains(s.Fields[last].Path, ".")) {
			return at(where+".path", "the fields of %s must stand together, and none may be named %s itself", names[0], names[0])
		}
		paths[f.Path], groups[names[0]] = true, i
		if err := s.validateField(f, where, at); err != nil {
			return err
		}
		for j, column := range f.From {
			place := fmt.Sprintf("%s.from[%d]", where, j)
			if !columnShape.MatchString(column) {
				return at(place, "%q is no column name", column)
			}
			if other, ok := mapped[column]; ok {
				return at(place, "column %s is mapped already, in %s", column, other)
			}
			mapped[column] = where
			if slices.Contains(s.Volatile, column) {
				return at(place, "column %s is mapped and volatile", column)
			}
			if _, ok := s.Ignored[column]; ok {
				return at(place, "column %s is mapped and ignored", column)
			}
		}
	}
	// The key is the _id as it is; its field must show it unchanged.
	keyField := slices.IndexFunc(s.Fields, func(f Field) bool { return slices.Contains(f.From, s.Key) })
	if keyField < 0 {
		return at("key", "column %s is not mapped by any field", s.Key)
	}
	if f := s.Fields[keyField]; !f.Required || f.Type != Text || len(f.Rules) > 0 || len(f.From) > 1 {
		return at(fmt.Sprintf("fields[%d]", keyField), "the key's field must be required text from %s alone, without rules", s.Key)
	}
	return nil
}

// validateVolatile checks the columns that are not stored.
func (s *Spec) validateVolatile(columnShape *regexp.Regexp, at errorAt) error {
	for i, column := range s.Volatile {
		if !columnShape.MatchString(strings.TrimSuffix(column, "*")) {
			return at(fmt.Sprintf("volatile[%d]", i), "%q is no column name nor a prefix with *", column)
		}
		if slices.Contains(s.Volatile[:i], column) {
			return at(fmt.Sprintf("volatile[%d]", i), "%s is there twice", column)
		}
		if _, ok := s.Ignored[column]; ok {
			return at(fmt.Sprintf("volatile[%d]", i), "%s is volatile and ignored", column)
		}
	}
	for column, reason := range s.Ignored {
		if strings.TrimSpace(reason) == "" {
			return at("ignored."+column, "needs a reason")
		}
	}
	return nil
}

// validateChanges checks what is said of changes: untracked paths and events.
func (s *Spec) validateChanges(at errorAt) error {
	has := func(path string) bool { _, ok := s.Field(path); return ok }
	for i, path := range s.Untracked {
		if !has(path) {
			return at(fmt.Sprintf("untracked[%d]", i), "no field has the path %q", path)
		}
		if slices.Contains(s.Untracked[:i], path) {
			return at(fmt.Sprintf("untracked[%d]", i), "%s is there twice", path)
		}
	}
	named := make(map[string]string)
	for _, kind := range []struct {
		where string
		paths []string
	}{{"events.renamed", s.Events.Renamed}, {"events.moved", s.Events.Moved}} {
		for i, path := range kind.paths {
			where := fmt.Sprintf("%s[%d]", kind.where, i)
			switch {
			case !has(path):
				return at(where, "no field has the path %q", path)
			case slices.Contains(s.Untracked, path):
				return at(where, "%s is untracked: its change is no event", path)
			case named[path] != "":
				return at(where, "%s is there already, in %s", path, named[path])
			}
			named[path] = kind.where
		}
	}
	return nil
}

// validateBoundaries checks the outlines of neighborhoods, if the spec has any.
func (s *Spec) validateBoundaries(idShape, columnShape *regexp.Regexp, at errorAt) error {
	b := s.Boundaries
	if b == (Boundaries{}) {
		return nil
	}
	for _, text := range []struct{ key, value, what string }{
		{"title", b.Title, "what the boundaries are called"},
		{"license", b.License, "under what terms the portal publishes them"},
		{"attribution", b.Attribution, "who publishes them"},
	} {
		if strings.TrimSpace(text.value) == "" {
			return at("boundaries", "%s is missing: %s", text.key, text.what)
		}
	}
	switch {
	case !idShape.MatchString(b.ID):
		return at("boundaries.id", "%q is no dataset id (four letters or digits, a hyphen, four more: j2bu-swwd)", b.ID)
	case b.ID == s.Portal.ID:
		return at("boundaries.id", "%s is the register itself: boundaries are a dataset of their own", b.ID)
	case !columnShape.MatchString(b.Name):
		return at("boundaries.name", "%q is no property: the one that holds the name of an area (nhood)", b.Name)
	case !slices.ContainsFunc(s.Dimensions, func(d Dimension) bool { return d.Name == DimensionNeighborhood }):
		return at("boundaries", "need the dimension %s, whose values are their names", DimensionNeighborhood)
	}
	return nil
}

// validateField checks one field by itself.
func (s *Spec) validateField(f Field, where string, at errorAt) error {
	types := []Type{Text, Number, Date, Bool, Marker, Point, PointText}
	rules := []Rule{RuleName, RuleAddress, RuleCity, RuleState, RuleZip, RuleNAICS, RuleMultiple}
	if !slices.Contains(types, f.Type) {
		return at(where+".type", "unknown type %q; known types: %s", f.Type, join(types))
	}
	if (f.Type == PointText) != (f.Copy != "") {
		return at(where, "copy and type %s go together", PointText)
	}
	if f.Copy != "" {
		if of, ok := s.Field(f.Copy); !ok || of.Type != Point {
			return at(where+".copy", "no field of type %s has the path %q", Point, f.Copy)
		} else if of.Drop && !f.Drop {
			return at(where+".copy", "%s is dropped: there is nothing to copy", f.Copy)
		}
		if len(f.From) > 0 || f.Required {
			return at(where, "a copy has no columns of its own and cannot be required")
		}
	} else if len(f.From) == 0 {
		return at(where, "needs from: the source columns, in order of preference")
	}
	if f.Drop && (f.Required || slices.Contains(f.From, s.Key)) {
		return at(where+".drop", "the key and required fields cannot be dropped")
	}
	for i, r := range f.Rules {
		if !slices.Contains(rules, r) {
			return at(fmt.Sprintf("%s.rules[%d]", where, i), "unknown rule %q; known rules: %s", r, join(rules))
		}
	}
	if len(f.Rules) > 1 || len(f.Rules) == 1 && f.Type != Text {
		return at(where+".rules", "at most one rule, of a text field")
	}
	if f.Search && f.Type != Text {
		return at(where+".search", "only text can be searched")
	}
	if err := validateForms(f, where, at); err != nil {
		return err
	}
	if len(f.Defaults) > 0 && f.Type != Date {
		return at(where+".defaults", "only dates have defaults")
	}
	for i, d := range f.Defaults {
		if _, err := time.Parse(time.DateOnly, d); err != nil {
			return at(fmt.Sprintf("%s.defaults[%d]", where, i), "%q is no date (1968-10-01)", d)
		}
	}
	if len(f.Range) > 0 && (f.Type != Number || len(f.Range) != 2 || f.Range[0] > f.Range[1]) {
		return at(where+".range", "expected two numbers, smallest and largest, of a number field")
	}
	if (f.Marker != "") != (f.Type == Marker) {
		return at(where, "marker (its text) and type %s go together", Marker)
	}
	return nil
}

// validateForms checks the forms of a date: known, and none that reads another's
// dates as other days.
func validateForms(f Field, where string, at errorAt) error {
	if len(f.Forms) > 0 && f.Type != Date {
		return at(where+".forms", "only dates have forms")
	}
	for i, form := range f.Forms {
		place := fmt.Sprintf("%s.forms[%d]", where, i)
		switch {
		case !slices.Contains(Forms(), form):
			return at(place, "unknown form %q; known forms: %s", form, join(Forms()))
		case slices.Contains(f.Forms[:i], form):
			return at(place, "%s is there twice", form)
		case strings.HasPrefix(form, "DD") && slices.Contains(f.Forms, "MM"+form[2:3]+"DD"+form[5:]):
			return at(place, "%s and month first: nothing says which of the two 1/2/2021 is", form)
		}
	}
	return nil
}

// validateUses checks what refers to fields: lifecycle and dimensions.
func (s *Spec) validateUses(wordShape *regexp.Regexp, at errorAt) error {
	ofType := func(where, path string, types ...Type) error {
		f, ok := s.Field(path)
		if !ok || !slices.Contains(types, f.Type) {
			return at(where, "no field of type %s has the path %q", join(types), path)
		}
		if f.Drop {
			return at(where, "%s is dropped", path)
		}
		if f.Sensitive {
			return at(where, "%s is sensitive, and what is counted by it is shown to everybody: name another field, or leave this out", path)
		}
		return nil
	}
	l := s.Lifecycle
	if err := ofType("lifecycle.start", l.Start, Date); err != nil {
		return err
	}
	if len(l.End) == 0 {
		return at("lifecycle.end", "is missing: the dates that close a row")
	}
	for i, end := range l.End {
		where := fmt.Sprintf("lifecycle.end[%d]", i)
		if err := ofType(where+".path", end.Path, Date); err != nil {
			return err
		}
		if !wordShape.MatchString(end.Kind) || end.Kind == KindAdministrative {
			return at(where+".kind", "%q is no kind of closing: a lower-case word other than %s", end.Kind, KindAdministrative)
		}
	}
	if l.Closed != "" {
		if err := ofType("lifecycle.closed", l.Closed, Marker, Bool); err != nil {
			return err
		}
	}
	for i, interval := range l.Intervals {
		where := fmt.Sprintf("lifecycle.intervals[%d]", i)
		if !wordShape.MatchString(interval.Name) {
			return at(where+".name", "%q is no lower-case word", interval.Name)
		}
		if slices.ContainsFunc(l.Intervals[:i], func(o Interval) bool { return o.Name == interval.Name }) {
			return at(where+".name", "%s is there twice", interval.Name)
		}
		if err := ofType(where+".start", interval.Start, Date); err != nil {
			return err
		}
		if err := ofType(where+".end", interval.End, Date); err != nil {
			return err
		}
	}
	if err := s.validateDimensions(wordShape, at, ofType); err != nil {
		return err
	}
	return s.validateCities(at)
}

// validateCities checks the names of cities and the zips that tell them.
func (s *Spec) validateCities(at errorAt) error {
	for i, city := range s.Cities.Names {
		where := fmt.Sprintf("cities.names[%d]", i)
		if strings.TrimSpace(city.Name) == "" {
			return at(where+".name", "is missing")
		}
		for j, zip := range city.Zips {
			if strings.Trim(zip, "0123456789") != "" || len(zip) < 2 || len(zip) > 5 {
				return at(fmt.Sprintf("%s.zips[%d]", where, j), "%q is not the beginning of a zip: two to five digits", zip)
			}
		}
	}
	return nil
}

// validateDimensions checks what statistics count by. ofType checks a path's type.
func (s *Spec) validateDimensions(wordShape *regexp.Regexp, at errorAt, ofType func(where, path string, types ...Type) error) error {
	for i, d := range s.Dimensions {
		where := fmt.Sprintf("dimensions[%d]", i)
		switch {
		case !wordShape.MatchString(d.Name):
			return at(where+".name", "%q is no lower-case word", d.Name)
		case slices.Contains([]string{"open", "start_month", "end_month", "closed", "cell", "tokens"}, d.Name):
			return at(where+".name", "%s is a facet of every dataset", d.Name)
		case slices.ContainsFunc(s.Dimensions[:i], func(o Dimension) bool { return o.Name == d.Name }):
			return at(where+".name", "%s is there twice", d.Name)
		case d.Rule != "" && d.Rule != RuleSector:
			return at(where+".rule", "unknown rule %q; known rules: %s", d.Rule, RuleSector)
		case !slices.Contains(Dimensions(), d.Name):
			return at(where+".name", "statistics, pages and exports count by %s only: give %s one of these names, or leave it out (its field stays)",
				strings.Join(Dimensions(), ", "), d.Name)
		}
		types := []Type{Text}
		if d.Name == DimensionDistrict && d.Rule == "" {
			types = []Type{Text, Number}
		}
		if err := ofType(where+".path", d.Path, types...); err != nil {
			return err
		}
	}
	return nil
}

func join[T ~string](items []T) string {
	text := make([]string, len(items))
	for i, item := range items {
		text[i] = string(item)
	}
	return strings.Join(text, ", ")
}
