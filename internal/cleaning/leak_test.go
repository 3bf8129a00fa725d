package cleaning

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/dataset"
)

// secret is what no error may contain. No error text has its bytes in this
// order.
const secret = "Qx7Zq"

// leaks reports whether a text contains the secret, or enough of it to
// recognize.
func leaks(text string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(secret[:3]))
}

// leakRow draws a row with the secret in every sensitive column and dirty
// values in the others.
func leakRow(t *rapid.T, c *Cleaner) string {
	row := map[string]string{c.spec.Key: `"0000024-01-001"`}
	for _, column := range c.names {
		switch {
		case column == c.spec.Key:
		case c.spec.Sensitive("source." + column):
			row[column] = rapid.SampledFrom([]string{
				`"` + secret + `"`, `" ` + secret + `\u00e9 #"`, `{"` + secret + `":["` + secret + `"]}`, `["` + secret + `"]`, `"\"` + secret + `\\"`,
			}).Draw(t, column)
		case rapid.Bool().Draw(t, column):
			row[column] = dirtyValues(column).Draw(t, column)
		}
	}
	members := make([]string, 0, len(row))
	for _, column := range slices.Sorted(maps.Keys(row)) {
		members = append(members, fmt.Sprintf("%q:%s", column, row[column]))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// broken draws a damaged copy of a text: bytes removed, doubled, inserted.
func broken(t *rapid.T, text string) string {
	for range rapid.IntRange(0, 3).Draw(t, "faults") {
		if text == "" {
			break
		}
		from := rapid.IntRange(0, len(text)-1).Draw(t, "from")
		to := min(len(text), from+rapid.IntRange(1, 12).Draw(t, "length"))
		switch rapid.IntRange(0, 3).Draw(t, "fault") {
		case 0:
			text = text[:from] + text[to:]
		case 1:
			text = text[:to] + text[from:]
		case 2:
			text = text[:from] + rapid.SampledFrom([]string{`"`, `\`, `,`, `:`, `{`, `}`, "\x00", "\xff", `\ud800`, `"ttxid":"9",`, secret}).Draw(t, "put in") + text[from:]
		default:
			text = text[:from]
		}
	}
	return text
}

// TestErrorsTellNoValues checks that nothing that cleaning reports of a row
// contains the value of a sensitive column.
func TestErrorsTellNoValues(t *testing.T) {
	for name, spec := range map[string]*dataset.Spec{
		"as it is": specWith(t),
		"strict": specWith(t, "rules: [name], sensitive: true, search: true", "rules: [name], sensitive: true, required: true",
			"from: [mail_zipcode], type: text, rules: [zip], sensitive: true", "from: [mail_zipcode], type: date, sensitive: true, required: true",
			"from: [mail_state], type: text, rules: [state], sensitive: true", "from: [mail_state], type: point, sensitive: true"),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := New(spec)
			require.NoError(t, err)
			k, err := NewClassifier(spec, nil)
			require.NoError(t, err)
			good := bakery().document(t, specWith(t))
			refused, quarantined, classified := 0, 0, 0
			check := func(t *rapid.T) {
				row, err := c.Clean([]byte(broken(t, leakRow(t, c))))
				if err != nil {
					refused++
					require.False(t, leaks(err.Error()), "%s", err)
					return
				}
				for _, said := range append(row.Flags, row.Quarantine) {
					require.False(t, leaks(said), "%s", said)
				}
				if row.Quarantine != "" {
					quarantined++
					return
				}
				classified++
				damaged := []byte(broken(t, string(row.Document)))
				for _, sameSpec := range []bool{true, false} {
					if _, _, err := k.Classify(damaged, good, sameSpec); err != nil {
						require.False(t, leaks(err.Error()), "%s", err)
					}
					if _, _, err := k.Classify(good, damaged, sameSpec); err != nil {
						require.False(t, leaks(err.Error()), "%s", err)
					}
				}
				if _, err := c.Source(damaged); err != nil {
					require.False(t, leaks(err.Error()), "%s", err)
				}
			}
			// A short test makes few tries at a time, and possibly none gets
			// that far.
			for range 20 {
				rapid.Check(t, check)
				if refused > 0 && quarantined > 0 && classified > 0 {
					break
				}
			}
			require.NotZero(t, refused)
			require.NotZero(t, quarantined)
			if name == "as it is" {
				require.NotZero(t, classified)
			}
		})
	}
}

// TestReadsJSON checks that a row is accepted exactly when the JSON library
// accepts it as an object, and kept apart where the library has reservations.
func TestReadsJSON(t *testing.T) {
	c := newCleaner(t)
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		raw := broken(t, leakRow(t, c))
		mended := jsontext.Value(bytes.Map(blankControl, []byte(raw)))
		lenient := mended.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) && mended.Kind() == jsontext.KindBeginObject
		row, err := c.Clean([]byte(raw))
		require.Equal(t, lenient, err == nil, "%q: %v", raw, err)
		if err != nil || !jsontext.Value(raw).IsValid() {
			return
		}
		require.NotContains(t, row.Quarantine, "valid")
		accepted++
		var want map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(raw), &want))
		for i, name := range c.names {
			v := want[name]
			require.Equal(t, v != nil && string(v) != "null", c.cells[i].raw != nil, name)
			if len(v) > 0 && v[0] == '"' {
				var text string
				require.NoError(t, json.Unmarshal(v, &text))
				require.Equal(t, text, c.cells[i].text, name)
			}
		}
	})
	require.NotZero(t, accepted)
}
