package dataset

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is the kind of the values at a path of the document.
type Kind string

// These are the kinds of values.
const (
	KindString  Kind = "string"
	KindNumber  Kind = "number"  // an integer or a double
	KindInteger Kind = "integer" // 32 bits
	KindBool    Kind = "bool"
	KindDate    Kind = "date"    // midnight UTC, which stands for the day in the dataset's time zone
	KindTime    Kind = "time"    // a moment
	KindPoint   Kind = "point"   // a GeoJSON point
	KindStrings Kind = "strings" // a list
	KindBinary  Kind = "binary"
	KindObject  Kind = "object" // of originals: text, booleans, and anything else as {json: text}
)

// Entry describes one path of the document.
type Entry struct {
	Path      string   `json:"path"`
	Kind      Kind     `json:"kind"`
	Columns   []string `json:"columns,omitempty"` // of the source, in order of preference
	Always    bool     `json:"always,omitempty"`  // every document has it
	Sensitive bool     `json:"sensitive,omitempty"`
	Meaning   string   `json:"meaning"`
}

// Dictionary describes every path of the dataset's documents, in their order.
// Users of the collections businesses and removed can rely on it and on the
// schemas made of it.
func (s *Spec) Dictionary() []Entry {
	key := Entry{Path: "_id", Kind: KindString, Columns: []string{s.Key}, Always: true, Meaning: "The row's key."}
	all := []Entry{key}
	for _, f := range s.Fields {
		if f.Drop {
			continue
		}
		e := Entry{Path: f.Path, Kind: kindOf(f.Type), Columns: f.From, Meaning: s.meaning(f)}
		e.Always = slices.Contains(f.From, s.Key)
		all = append(all, e)
	}
	for _, d := range s.Dimensions {
		e := Entry{Path: d.FacetPath(), Kind: KindString, Meaning: "A dimension of statistics: " + d.Path + "."}
		if f, ok := s.Field(d.Path); ok && d.Rule == "" {
			e.Kind = kindOf(f.Type)
		}
		if d.Rule == RuleSector {
			e.Meaning = "A dimension of statistics: the sector of " + d.Path +
				", its longest known prefix (two digits, three of 721 and 722)."
		}
		all = append(all, e)
	}
	var ends, kinds []string
	known := true // a row whose end cannot be read is in quarantine
	for _, end := range s.Lifecycle.End {
		f, _ := s.Field(end.Path)
		known = known && f.Required
		ends = append(ends, end.Path)
		kinds = append(kinds, end.Kind)
	}
	open := "True while it has none of " + strings.Join(ends, ", ")
	if slices.ContainsFunc(s.Lifecycle.End, func(e End) bool { return e.Expires }) {
		open += " that has passed on the day of the portal's version"
	}
	if s.Lifecycle.Closed != "" {
		open += ", and is not " + s.Lifecycle.Closed
		kinds = append(kinds, KindAdministrative)
	}
	if !known {
		open += "; absent where an end is there and cannot be read"
	}
	all = append(all,
		Entry{Path: "facets.open", Kind: KindBool, Always: known, Meaning: open + "."},
		Entry{Path: "facets.start_month", Kind: KindString, Meaning: "Month of " + s.Lifecycle.Start + ", such as 2014-10."},
		Entry{Path: "facets.end_month", Kind: KindString, Meaning: "Month of the first of " + strings.Join(ends, ", ") + " that closed it."},
		Entry{Path: "facets.closed", Kind: KindString, Meaning: "How it closed: " + strings.Join(kinds, ", ") + "."},
	)
	if slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Type == Point && !f.Drop }) {
		all = append(all, Entry{
			Path: "facets.cell", Kind: KindString,
			Meaning: "Hexagon of the map, where the point lies in the dataset's box.",
		})
	}
	if slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Search && !f.Drop }) {
		all = append(all, Entry{
			Path: "facets.tokens", Kind: KindStrings,
			Meaning: "Words to search for, in lower case and without accents; with ~ in front those of sensitive fields.",
		})
	}
	all = append(all,
		Entry{Path: "quality.flags", Kind: KindStrings, Meaning: "What cleaning remarked on."},
		Entry{
			Path: "quality.stale", Kind: KindBool,
			Meaning: "True while the portal's newest row cannot be read: this is the last good document.",
		},
		Entry{Path: "source", Kind: KindObject, Meaning: "Originals of the columns that cleaning altered."},
		Entry{Path: "lineage.hash", Kind: KindBinary, Always: true, Meaning: "SHA-256 of the document without lineage and quality.stale."},
		Entry{Path: "lineage.version", Kind: KindInteger, Always: true, Meaning: "1 at first, one more with every change."},
		Entry{Path: "lineage.run", Kind: KindString, Always: true, Meaning: "Run that wrote this version."},
		Entry{Path: "lineage.first_seen", Kind: KindTime, Always: true, Meaning: "When a run saw the row first."},
		Entry{
			Path: "lineage.changed_at", Kind: KindTime, Always: true,
			Meaning: "When a run wrote this version; of a removed row, when it was removed.",
		},
		Entry{Path: "lineage.spec", Kind: KindString, Always: true, Meaning: "Digest of the spec and the rules that made it."},
		Entry{Path: "lineage.row", Kind: KindBinary, Meaning: "Fingerprint of the portal's row: one that comes the same is not cleaned again."},
	)
	for i := range all {
		// Single columns of source may be sensitive, but source itself is not.
		all[i].Sensitive = all[i].Path != "source" && s.Sensitive(all[i].Path)
	}
	return all
}

func kindOf(t Type) Kind {
	switch t {
	case Number:
		return KindNumber
	case Date:
		return KindDate
	case Bool, Marker:
		return KindBool
	case Point:
		return KindPoint
	default:
		return KindString
	}
}

// meaning describes a field and its cleaning in a sentence.
func (s *Spec) meaning(f Field) string {
	of := map[Rule]string{
		RuleName:     "placeholders left out",
		RuleAddress:  "placeholders and undeliverable addresses left out",
		RuleCity:     "known spellings folded into one",
		RuleState:    "two letters, of the USA or of Canada",
		RuleZip:      "postal code",
		RuleNAICS:    "industry code (NAICS), two to six digits",
		RuleMultiple: "left out where it only says \"Multiple\"",
	}
	var says []string
	switch f.Type {
	case Text:
		says = append(says, "Text")
	case Number:
		says = append(says, "Number")
		if len(f.Range) == 2 {
			says = append(says, fmt.Sprintf("from %d to %d", f.Range[0], f.Range[1]))
		}
	case Date:
		says = append(says, "Day")
		if len(f.Forms) > 0 {
			says = append(says, "also read as "+strings.Join(f.Forms, " or "))
		}
		if len(f.Defaults) > 0 {
			says = append(says, "flagged where it is "+strings.Join(f.Defaults, " or ")+", which stands for not known")
		}
	case Bool:
		says = append(says, "True or false")
	case Marker:
		says = append(says, "True where the column says \""+f.Marker+"\", else absent")
	case Point:
		says = append(says, "GeoJSON point, longitude first")
	case PointText:
		says = append(says, "Copy of "+f.Copy+" as text: POINT (longitude latitude)")
	}
	for _, r := range f.Rules {
		if of[r] != "" {
			says = append(says, of[r])
		}
	}
	if f.Retired != "" {
		says = append(says, "not published any more since "+f.Retired)
	}
	return strings.Join(says, "; ") + "."
}
