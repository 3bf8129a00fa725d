package socrata

import "strings"

// Range is the key range (After, UpTo] of the dataset's key column, in the
// portal's order of keys. An empty After leaves it open below, an empty UpTo
// open above; the zero Range is all rows that have a key. With NullKeys it is
// the rows without a key, which no comparison matches.
type Range struct {
	After    string `json:"after,omitempty"`
	UpTo     string `json:"up_to,omitempty"`
	NullKeys bool   `json:"null_keys,omitempty"`
}

// String returns the range for people: "(0123, 0456]", "(…, 0456]", "(0123,
// …)", "null keys".
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

// Where returns the SoQL condition for the range over the column key.
// Comparisons exclude null keys.
func (r Range) Where(key string) string {
	key = Name(key)
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

// Name returns a column's name as it stands in a query: in backquotes. Outside of
// them SoQL takes a name such as group or union for its own word, and one with a
// hyphen for a subtraction. In them every name is legal, those of system columns
// included; a backquote itself, which no column has, is left out
// (socrata-platform/soql-reference, SoQLLexer.flex).
func Name(column string) string {
	return "`" + strings.ReplaceAll(column, "`", "") + "`"
}

// names is Name for a list.
func names(columns []string) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = Name(c)
	}
	return strings.Join(quoted, ",")
}

// literal returns the SoQL text literal of s: quotes are doubled, nothing else
// is special.
func literal(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
