package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind is what values of a path of the document are.
type Kind string

// The kinds of values.
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

// Dictionary describes every path that documents of the dataset have, in their
// order. It and the schemas that are made of it are what users of the
// collections businesses and removed can rely on.
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
			e.Meaning = "A dimension of statistics: the sector of " + d.Path + ", its longest known prefix (two digits, three of 721 and 722)."
		}
		all = append(all, e)
	}
	ends := make([]string, 0, len(s.Lifecycle.End)+1)
	kinds := make([]string, 0, len(s.Lifecycle.End)+1)
	for _, end := range s.Lifecycle.End {
		ends = append(ends, end.Path)
		kinds = append(kinds, end.Kind)
	}
	open := "True while it has none of " + strings.Join(ends, ", ")
	if s.Lifecycle.Closed != "" {
		open += ", and is not " + s.Lifecycle.Closed
		kinds = append(kinds, KindAdministrative)
	}
	all = append(all,
		Entry{Path: "facets.open", Kind: KindBool, Always: true, Meaning: open + "."},
		Entry{Path: "facets.start_month", Kind: KindString, Meaning: "Month of " + s.Lifecycle.Start + ", such as 2014-10."},
		Entry{Path: "facets.end_month", Kind: KindString, Meaning: "Month of the first of " + strings.Join(ends, ", ") + " that it has."},
		Entry{Path: "facets.closed", Kind: KindString, Meaning: "How it closed: " + strings.Join(kinds, ", ") + "."},
	)
	if slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Type == Point && !f.Drop }) {
		all = append(all, Entry{Path: "facets.cell", Kind: KindString, Meaning: "Hexagon of the map, where the point lies in the dataset's box."})
	}
	if slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Search && !f.Drop }) {
		all = append(all, Entry{Path: "facets.tokens", Kind: KindStrings, Meaning: "Words to search for, in lower case and without accents."})
	}
	all = append(all,
		Entry{Path: "quality.flags", Kind: KindStrings, Meaning: "What cleaning remarked on."},
		Entry{Path: "quality.stale", Kind: KindBool, Meaning: "True while the portal's newest row cannot be read: this is the last good document."},
		Entry{Path: "source", Kind: KindObject, Meaning: "Originals of the columns that cleaning altered."},
		Entry{Path: "lineage.hash", Kind: KindBinary, Always: true, Meaning: "SHA-256 of the document without lineage and quality.stale."},
		Entry{Path: "lineage.version", Kind: KindInteger, Always: true, Meaning: "1 at first, one more with every change."},
		Entry{Path: "lineage.run", Kind: KindString, Always: true, Meaning: "Run that wrote this version."},
		Entry{Path: "lineage.first_seen", Kind: KindTime, Always: true, Meaning: "When a run saw the row first."},
		Entry{Path: "lineage.changed_at", Kind: KindTime, Always: true, Meaning: "When a run wrote this version; of a removed row, when it was removed."},
		Entry{Path: "lineage.spec", Kind: KindString, Always: true, Meaning: "Digest of the spec and the rules that made it."},
	)
	for i := range all {
		// Of source, single columns may be sensitive, but it is not as a whole.
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

// meaning is what cleaning makes of a field, in a sentence or two.
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

// JSONSchema is the schema of a document as exports write it as JSON: days as
// 2006-01-02, moments as RFC 3339, bytes in hex, points as GeoJSON
// (https://json-schema.org/draft/2020-12).
func (s *Spec) JSONSchema() map[string]any {
	schema := s.schema(map[Kind]map[string]any{
		KindString:  {"type": "string"},
		KindNumber:  {"type": "number"},
		KindInteger: {"type": "integer"},
		KindBool:    {"type": "boolean"},
		KindDate:    {"type": "string", "format": "date"},
		KindTime:    {"type": "string", "format": "date-time"},
		KindPoint: {
			"type": "object", "required": []string{"type", "coordinates"}, "additionalProperties": false,
			"properties": map[string]any{
				"type":        map[string]any{"const": "Point"},
				"coordinates": map[string]any{"type": "array", "items": map[string]any{"type": "number"}, "minItems": 2, "maxItems": 2},
			},
		},
		KindStrings: {"type": "array", "items": map[string]any{"type": "string"}},
		KindBinary:  {"type": "string", "pattern": "^[0-9a-f]*$"},
		KindObject:  {"type": "object", "additionalProperties": map[string]any{"type": []string{"string", "boolean", "object"}}},
	}, "type", "object")
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = s.Title
	return schema
}

// MongoSchema is the same of a document as it is stored, for $jsonSchema.
func (s *Spec) MongoSchema() map[string]any {
	return s.schema(map[Kind]map[string]any{
		KindString:  {"bsonType": "string"},
		KindNumber:  {"bsonType": []string{"int", "long", "double"}},
		KindInteger: {"bsonType": "int"},
		KindBool:    {"bsonType": "bool"},
		KindDate:    {"bsonType": "date"},
		KindTime:    {"bsonType": "date"},
		KindPoint: {
			"bsonType": "object", "required": []string{"type", "coordinates"},
			"properties": map[string]any{
				"type":        map[string]any{"enum": []string{"Point"}},
				"coordinates": map[string]any{"bsonType": "array", "items": map[string]any{"bsonType": "double"}, "minItems": 2, "maxItems": 2},
			},
		},
		KindStrings: {"bsonType": "array", "items": map[string]any{"bsonType": "string"}},
		KindBinary:  {"bsonType": "binData"},
		KindObject:  {"bsonType": "object"},
	}, "bsonType", "object")
}

// schema makes a schema of the dictionary, in which object is of type word.
func (s *Spec) schema(of map[Kind]map[string]any, word, object string) map[string]any {
	node := func() map[string]any {
		return map[string]any{word: object, "properties": map[string]any{}, "additionalProperties": false}
	}
	root := node()
	for _, e := range s.Dictionary() {
		at := root
		names := strings.Split(e.Path, ".")
		for _, name := range names[:len(names)-1] {
			if e.Always && !e.Sensitive {
				demand(at, name)
			}
			properties, _ := at["properties"].(map[string]any)
			if properties[name] == nil {
				properties[name] = node()
			}
			at, _ = properties[name].(map[string]any)
		}
		leaf := maps.Clone(of[e.Kind])
		leaf["description"] = e.Meaning
		last := names[len(names)-1]
		properties, _ := at["properties"].(map[string]any)
		properties[last] = leaf
		if e.Always && !e.Sensitive {
			demand(at, last)
		}
	}
	return root
}

// demand adds a name to what an object must have.
func demand(object map[string]any, name string) {
	names, _ := object["required"].([]string)
	if !slices.Contains(names, name) {
		object["required"] = append(names, name)
	}
}
