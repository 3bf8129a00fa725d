package cli

import (
	"bytes"
	"testing"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/stretchr/testify/assert"
)

// Whatever a value of a row holds, a table's line is read as it is written.
func TestValuesCannotTurnALineAround(t *testing.T) {
	const name = "Bank\u202egiF fo\u2066\u200b\x1b[31m\nnext"
	var b bytes.Buffer
	Grid(&b, table.Row{"name", "n"}, []table.Row{{name, 1}})
	Facts(&b, [][2]string{{"name", name}})
	assert.NotContains(t, b.String(), "\u202e")
	assert.NotContains(t, b.String(), "\x1b")
	assert.Contains(t, b.String(), "Bank‹U+202E›giF fo‹U+2066›‹U+200B› [31m next")
}
