package socrata

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestRange(t *testing.T) {
	for _, test := range []struct {
		r             Range
		string, where string
	}{
		{Range{}, "(…, …)", "`ttxid` is not null"},
		{Range{After: "0123"}, "(0123, …)", "`ttxid` > '0123'"},
		{Range{UpTo: "0456"}, "(…, 0456]", "`ttxid` <= '0456'"},
		{Range{After: "0123", UpTo: "0456"}, "(0123, 0456]", "`ttxid` > '0123' and `ttxid` <= '0456'"},
		{Range{After: "O'Brien"}, "(O'Brien, …)", "`ttxid` > 'O''Brien'"},
		{Range{NullKeys: true}, "null keys", "`ttxid` is null"},
	} {
		assert.Equal(t, test.string, test.r.String())
		assert.Equal(t, test.where, test.r.Where("ttxid"))
	}
}

// No key ends its literal early.
func TestLiteral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a']*`)).Draw(t, "key")
		inner, ok := strings.CutPrefix(literal(s), "'")
		inner, ok2 := strings.CutSuffix(inner, "'")
		if !ok || !ok2 || strings.Contains(strings.ReplaceAll(inner, "''", ""), "'") || strings.ReplaceAll(inner, "''", "'") != s {
			t.Fatalf("%q became %q", s, literal(s))
		}
	})
}

// TestName quotes what SoQL would take for something else, and lets no name end
// its quotes early.
func TestName(t *testing.T) {
	for column, want := range map[string]string{
		"ttxid": "`ttxid`", "group": "`group`", "year-end": "`year-end`", ":id": "`:id`", ":@computed_region_26cr_cadq": "`:@computed_region_26cr_cadq`",
		"a` or `b": "`a or b`",
	} {
		assert.Equal(t, want, Name(column))
	}
}
