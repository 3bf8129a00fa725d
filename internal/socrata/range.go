package socrata

import "strings"

// Range is the key range (After, UpTo] of the dataset's key column, in the portal's order of keys. An empty
// After leaves it open below, an empty UpTo open above; the zero Range is all rows that have a key. With
// NullKeys it is the rows without a key instead, which no comparison finds.
type Range struct {
	After    string `json:"after,omitempty" bson:"after,omitempty"`
	UpTo     string `json:"up_to,omitempty" bson:"up_to,omitempty"`
	NullKeys bool   `json:"null_keys,omitempty" bson:"null_keys,omitempty"`
}

// String is the range for people: "(0123, 0456]", "(…, 0456]", "(0123, …)", "null keys".
func (r Range) String() string {
	if r.NullKeys {
		return "null keys"
	}
	after, upTo := "…", "…)"
	if r.After != "" {
		after = r.After
	}
	if r.UpTo != "" {
		upTo = r.UpTo + "]"
	}
	return "(" + after + ", " + upTo
}

// Where is the SoQL condition for the range over the column named key. Comparisons leave null keys out.
func (r Range) Where(key string) string {
	switch {
	case r.NullKeys:
		return key + " is null"
	case r.After == "" && r.UpTo == "":
		return key + " is not null"
	case r.After == "":
		return key + " <= " + literal(r.UpTo)
	case r.UpTo == "":
		return key + " > " + literal(r.After)
	}
	return key + " > " + literal(r.After) + " and " + key + " <= " + literal(r.UpTo)
}

// literal is the SoQL text literal of s: quotes are doubled, nothing else is special.
func literal(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
