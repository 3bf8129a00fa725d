package cleaning

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Most of cleaning's time would go into taking rows apart, and most of a row is plain text: names and values in
// printable ASCII without escapes. Those are read here; everything else is left to the JSON library. Names are not
// even looked up, for a portal sends the columns of all rows in one order.

// member is a name that rows have.
type member struct {
	quoted []byte // with its quotation marks, as rows have it
	column int    // -1: not mapped
	other  *other // when not mapped
}

// maxMembers bounds the remembered order of names. A register has some dozens; names that change with every row
// are garbage.
const maxMembers = 512

// malformed is why a row is no JSON object. It says where, never what was there: rows have private data in them.
func malformed(at int, why string) error { return fmt.Errorf("at byte %d: %s", at, why) }

// read takes the row apart. Names may repeat in JSON; a column that does is an error, for no rule could say
// which value is meant.
func (c *Cleaner) read(raw []byte) error {
	i := skipSpace(raw, 0)
	if i == len(raw) || raw[i] != '{' {
		return malformed(i, "expected an object")
	}
	whole := string(raw)
	next := 0 // where in c.members the next name is looked for
	i = skipSpace(raw, i+1)
	for first := true; i == len(raw) || raw[i] != '}'; first = false {
		if !first {
			if i == len(raw) || raw[i] != ',' {
				return malformed(i, "expected a comma or the object's end")
			}
			i = skipSpace(raw, i+1)
		}
		m, end, err := c.name(raw, i, &next)
		if err != nil {
			return err
		}
		if i = skipSpace(raw, end); i == len(raw) || raw[i] != ':' {
			return malformed(i, "expected a colon")
		}
		i = skipSpace(raw, i+1)
		start := i
		text, plain := "", false
		if i = plainEnd(raw, start); i > 0 {
			text, plain = whole[start+1:i-1], true
		} else if i, err = c.valueEnd(raw, start); err != nil {
			return err
		}
		if m.other != nil {
			m.other.rows++
		} else if err := c.setCell(m.column, raw[start:i], text, plain); err != nil {
			return err
		}
		i = skipSpace(raw, i)
	}
	if i = skipSpace(raw, i+1); i != len(raw) {
		return malformed(i, "something follows the object")
	}
	return nil
}

// setCell keeps a value of a mapped column. plain: text is the value of a string, else that is still to be found.
func (c *Cleaner) setCell(column int, v jsontext.Value, text string, plain bool) error {
	cell := &c.cells[column]
	if cell.present {
		return fmt.Errorf("column %s is there twice", c.names[column])
	}
	cell.present = true
	kind := v.Kind()
	if kind == jsontext.KindNull {
		return nil
	}
	cell.raw, cell.text = v, text
	if kind == jsontext.KindString && !plain {
		unquoted, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return fmt.Errorf("column %s is no valid text", c.names[column]) // it was read as JSON before: this cannot be
		}
		cell.text = string(unquoted)
	}
	return nil
}

// name reads the name at index i and where it ends. next is where the names of this row are in c.members.
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
		if end, err = c.valueEnd(raw, i); err != nil {
			return nil, i, err
		}
	}
	unquoted, err := jsontext.AppendUnquote(nil, raw[i:end])
	if err != nil {
		return nil, i, malformed(i, "no valid name") // it was read as JSON before: this cannot be
	}
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

func (c *Cleaner) otherNamed(name string) *other {
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

// plainEnd is the end of the plain string that begins at index i; 0 when there is none.
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

// valueEnd is the end of the JSON value that begins at index i.
func (c *Cleaner) valueEnd(raw []byte, i int) (int, error) {
	c.buffer = *bytes.NewBuffer(raw[i:])
	c.decoder.Reset(&c.buffer, jsontext.AllowDuplicateNames(true))
	if _, err := c.decoder.ReadValue(); err != nil {
		return i, malformed(i, "no JSON value") // the library's error may quote it
	}
	return i + int(c.decoder.InputOffset()), nil
}
