package cleaning

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Most of cleaning's time would go into parsing rows, and most of a row is
// plain text: names and values in printable ASCII without escapes. Those are
// read here; everything else is left to the JSON library. Most names need no
// lookup, because a portal sends the columns of all rows in the same order.

// member is a column name as rows have it.
type member struct {
	quoted []byte // with its quotation marks, as rows have it
	column int    // -1: not mapped
	other  *other // when not mapped
}

// maxMembers bounds the remembered order of names. A register has dozens; names
// that change with every row are garbage.
const maxMembers = 512

// These bound what a row may be. A document must fit into MongoDB's 16 MiB
// together with the one before it, because the event of a change has the values
// of both.
const (
	maxRow      = 4 << 20 // bytes of JSON
	maxValue    = 1 << 20 // bytes of JSON, of a mapped column
	maxDocument = 6 << 20 // bytes of BSON
	maxNesting  = 100     // levels of JSON; a multipolygon has six
	// maxKey bounds a key, in bytes: see socrata.MaxKey.
	maxKey = 512
	// maxUnknown bounds the unknown columns that are counted by name, maxName
	// the letters of one.
	maxUnknown, maxName = 1000, 100
)

// malformed returns why a row is no JSON object. It says where, never what was
// there: rows hold private data.
func malformed(at int, why string) error { return fmt.Errorf("at byte %d: %s", at, why) }

// read parses the row into c.cells and returns why it cannot become a document:
// what no field could hold, or a column that is there twice, because nothing says
// which value is meant. The error says that the row is no JSON object.
func (c *Cleaner) read(raw []byte) (poison string, err error) {
	if len(raw) > maxRow {
		_, _ = c.parse(raw[:maxRow]) // for its key
		return fmt.Sprintf("row of more than %d bytes", maxRow), nil
	}
	if nesting(raw) > maxNesting {
		_, _ = c.parse(raw)
		return fmt.Sprintf("nested more than %d levels deep", maxNesting), nil
	}
	poison, err = c.parse(raw)
	if err == nil || !bytes.ContainsFunc(raw, isControl) {
		return poison, err
	}
	// Control characters are not allowed in JSON's strings.
	clear(c.cells)
	if poison, err = c.parse(bytes.Map(blankControl, raw)); err == nil && poison == "" {
		poison = "control characters that are not escaped"
	}
	return poison, err
}

func isControl(r rune) bool { return r < ' ' }

func blankControl(r rune) rune {
	if isControl(r) {
		return ' '
	}
	return r
}

// nesting returns how deep JSON is nested.
func nesting(raw []byte) int {
	depth, deepest, inText := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case b == '"':
			inText = !inText
		case inText && b == '\\':
			i++
		case inText:
		case b == '{' || b == '[':
			depth++
			deepest = max(deepest, depth)
		case b == '}' || b == ']':
			depth--
		}
	}
	return deepest
}

// parse reads the members of a row, as far as it is one.
func (c *Cleaner) parse(raw []byte) (poison string, err error) {
	i := skipSpace(raw, 0)
	if i == len(raw) || raw[i] != '{' {
		return "", malformed(i, "expected an object")
	}
	whole := string(raw)
	next := 0 // where in c.members the next name is looked for
	i = skipSpace(raw, i+1)
	for first := true; i == len(raw) || raw[i] != '}'; first = false {
		if !first {
			if i == len(raw) || raw[i] != ',' {
				return poison, malformed(i, "expected a comma or the object's end")
			}
			i = skipSpace(raw, i+1)
		}
		m, end, err := c.name(raw, i, &next)
		if err != nil {
			return poison, err
		}
		if i = skipSpace(raw, end); i == len(raw) || raw[i] != ':' {
			return poison, malformed(i, "expected a colon")
		}
		i = skipSpace(raw, i+1)
		start := i
		text, plain, sound := "", false, true
		if i = plainEnd(raw, start); i > 0 {
			text, plain = whole[start+1:i-1], true
		} else if i, sound, err = c.valueEnd(raw, start); err != nil {
			return poison, err
		}
		if m.other != nil {
			m.other.rows++
			c.strange = c.strange || !m.other.known
		} else if why := c.setCell(m.column, raw[start:i], text, plain, sound); why != "" && poison == "" {
			poison = why
		}
		i = skipSpace(raw, i)
	}
	if i = skipSpace(raw, i+1); i != len(raw) {
		return poison, malformed(i, "something follows the object")
	}
	return poison, nil
}

// setCell keeps the value of a mapped column and returns why no field can hold
// it. plain says that v is a string and text its value; otherwise v is parsed
// here. sound says that v is valid without reserve.
func (c *Cleaner) setCell(column int, v jsontext.Value, text string, plain, sound bool) (poison string) {
	cell := &c.cells[column]
	if cell.present {
		return fmt.Sprintf("column %s is there twice", c.names[column])
	}
	cell.present = true
	kind := v.Kind()
	if kind == jsontext.KindNull {
		return ""
	}
	cell.raw, cell.text = v, text
	if kind == jsontext.KindString && !plain {
		// What is not valid text is replaced by U+FFFD.
		unquoted, _ := jsontext.AppendUnquote(nil, v)
		cell.text = string(unquoted)
	}
	switch {
	case !sound && kind == jsontext.KindString:
		return fmt.Sprintf("column %s is not valid text", c.names[column])
	case !sound:
		return fmt.Sprintf("column %s is not valid: text that is none, or a name twice", c.names[column])
	case len(v) > maxValue:
		return fmt.Sprintf("column %s has more than %d bytes", c.names[column], maxValue)
	}
	return ""
}

// name reads the name at index i and returns where it ends. next is the index
// in c.members at which the search for it starts.
func (c *Cleaner) name(raw []byte, i int, next *int) (m *member, end int, err error) {
	for n := *next; n < len(c.members); n++ {
		if m := c.members[n]; bytes.HasPrefix(raw[i:], m.quoted) {
			*next = n + 1
			return m, i + len(m.quoted), nil
		}
	}
	if i == len(raw) || raw[i] != '"' {
		return nil, i, malformed(i, "expected a name")
	}
	if end = plainEnd(raw, i); end == 0 {
		if end, _, err = c.valueEnd(raw, i); err != nil {
			return nil, i, err
		}
	}
	unquoted, _ := jsontext.AppendUnquote(nil, raw[i:end]) // U+FFFD for what is not valid
	name := string(unquoted)
	m = &member{quoted: bytes.Clone(raw[i:end]), column: -1}
	if column, ok := c.columns[name]; ok {
		m.column = column
	} else {
		m.other = c.otherNamed(name)
	}
	isSame := func(o *member) bool { return bytes.Equal(o.quoted, m.quoted) }
	if len(c.members) < maxMembers && !slices.ContainsFunc(c.members, isSame) {
		c.members = slices.Insert(c.members, *next, m)
		*next++
	}
	return m, end, nil
}

// otherNamed returns the column of this name that is not mapped. Those beyond
// maxUnknown share one, and names are made fit to be stored: they are shown, and
// are keys of a document.
func (c *Cleaner) otherNamed(name string) *other {
	name = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, name)
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "") + "…"
	}
	if c.others[name] == nil && len(c.others) >= maxUnknown {
		name = "…"
	}
	o := c.others[name]
	if o == nil {
		_, ignored := c.spec.Ignored[name]
		o = &other{known: ignored || c.spec.IsVolatile(name) || c.spec.Dropped(name)}
		c.others[strings.Clone(name)] = o
	}
	return o
}

func skipSpace(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\t' || raw[i] == '\r') {
		i++
	}
	return i
}

// plainEnd returns the end of the plain string that begins at index i, 0 when
// there is none.
func plainEnd(raw []byte, i int) int {
	if i == len(raw) || raw[i] != '"' {
		return 0
	}
	for i++; i < len(raw); i++ {
		switch b := raw[i]; {
		case b == '"':
			return i + 1
		case b < ' ' || b >= 0x7f || b == '\\':
			return 0
		}
	}
	return 0
}

// valueEnd returns the end of the JSON value that begins at index i. sound is
// false for a value with text that is not valid UTF-8 or half of a surrogate
// pair, or with a name twice in one object.
func (c *Cleaner) valueEnd(raw []byte, i int) (end int, sound bool, err error) {
	for _, options := range [][]jsontext.Options{nil, {jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}} {
		c.buffer = *bytes.NewBuffer(raw[i:])
		c.decoder.Reset(&c.buffer, options...)
		if _, err = c.decoder.ReadValue(); err == nil {
			return i + int(c.decoder.InputOffset()), options == nil, nil
		}
	}
	return i, false, malformed(i, "no JSON value") // the library's error may quote it
}
