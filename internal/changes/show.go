package changes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Shown is an event as it is shown, to people or as JSON.
type Shown struct {
	Key     string       `json:"key"`
	Version int32        `json:"version"`
	At      time.Time    `json:"at"` // UTC
	Run     string       `json:"run"`
	Kinds   []string     `json:"kinds"` // the primary one first, at least one
	Cause   string       `json:"cause"`
	Name    string       `json:"name,omitempty"` // the row's current name, see [Name]
	Fields  []ShownField `json:"fields"`
}

// ShownField is a field that differs, with its values as [Readable] returns them.
type ShownField struct {
	Path   string `json:"path"`
	Hidden bool   `json:"sensitive,omitempty"` // the values are left out
	From   any    `json:"from,omitempty"`
	To     any    `json:"to,omitempty"`
}

// Show returns an event as it may be shown, see [VisibleFields]. Fields that
// Padron itself wrote are only listed if derived is set.
func Show(e *Event, hidden func(path string) bool, derived bool) Shown {
	s := Shown{Key: e.Key, Version: e.Version, At: e.At.UTC(), Run: e.Run, Kinds: e.Kinds, Cause: e.Cause, Fields: []ShownField{}}
	if len(s.Kinds) == 0 {
		s.Kinds = []string{KindUpdated}
	}
	for _, f := range VisibleFields(e.Fields, hidden) {
		if derived || !isDerived(f.Path) {
			s.Fields = append(s.Fields, ShownField{Path: f.Path, Hidden: f.Hidden, From: Readable(f.From), To: Readable(f.To)})
		}
	}
	return s
}

// Kind is the primary kind.
func (s *Shown) Kind() string { return s.Kinds[0] }

// Name is the name of a row: the first text among its values at the paths (those
// whose change counts as a renaming), hidden ones left out; hidden nil: none is.
// It is empty without such a value, and for a nil document.
func Name(doc bson.Raw, paths []string, hidden func(path string) bool) string {
	for _, path := range paths {
		if doc == nil || hidden != nil && hidden(path) {
			continue
		}
		if name, ok := doc.Lookup(strings.Split(path, ".")...).StringValueOK(); ok {
			return name
		}
	}
	return ""
}

// isDerived reports whether Padron itself wrote the value at a path: it computed
// the value or keeps it about the row.
func isDerived(path string) bool {
	top, _, _ := strings.Cut(path, ".")
	return top == "facets" || top == "quality" || top == "source" || top == "lineage"
}

// Readable is a document's value for JSON and for people: a text, boolean or
// number as it is; a time at midnight UTC, which is how documents hold days, as
// its day; a GeoJSON point as "latitude, longitude"; a list or another document
// as [json.RawMessage]. It is nil for null and for an absent value.
func Readable(v bson.RawValue) any {
	switch v.Type {
	case bson.TypeDateTime:
		t := v.Time().UTC()
		if t.Equal(t.Truncate(24 * time.Hour)) {
			return t.Format(time.DateOnly)
		}
		return t.Format(time.RFC3339Nano)
	case bson.TypeString:
		return v.StringValue()
	case bson.TypeBoolean:
		return v.Boolean()
	case bson.TypeInt32, bson.TypeInt64:
		return v.AsInt64()
	case bson.TypeDouble:
		return v.Double()
	case bson.TypeArray:
		return readableList(v)
	case bson.TypeEmbeddedDocument:
		if at, ok := coordinates(v.Document()); ok {
			return at
		}
	case bson.TypeNull:
		return nil
	default: // the other types are no values of documents
	}
	if v.IsZero() {
		return nil
	}
	encoded, err := extendedJSON(v)
	if err != nil {
		return v.String()
	}
	return encoded
}

func readableList(v bson.RawValue) any {
	values, err := v.Array().Values()
	if err != nil {
		return v.String()
	}
	list := make([]any, len(values))
	for i, e := range values {
		list[i] = Readable(e)
	}
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(list); err != nil {
		return v.String()
	}
	return json.RawMessage(bytes.TrimSpace(encoded.Bytes()))
}

// coordinates is a GeoJSON point as text: latitude, longitude.
func coordinates(doc bson.Raw) (string, bool) {
	lon, one := doc.Lookup("coordinates", "0").DoubleOK()
	lat, two := doc.Lookup("coordinates", "1").DoubleOK()
	return fmt.Sprintf("%.6f, %.6f", lat, lon), one && two
}

// extendedJSON is a value as relaxed extended JSON, which has documents only at
// its top.
func extendedJSON(v bson.RawValue) (json.RawMessage, error) {
	document, err := bson.MarshalExtJSON(bson.D{{Key: "v", Value: v}}, false, false)
	if err != nil {
		return nil, err
	}
	var inner struct {
		V json.RawMessage `json:"v"`
	}
	err = json.Unmarshal(document, &inner)
	return inner.V, err
}
