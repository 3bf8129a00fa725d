package cleaning

import (
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

// canary stands for what must never be told. It has no byte in common with the texts of errors in this order.
const canary = "Qx7Zq"

// sing says whether a text tells the canary, or enough of it to recognize.
func sing(text string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(canary[:3]))
}

// canaryRow draws a row with the canary in every sensitive column and dirt in the others.
func canaryRow(t *rapid.T, c *Cleaner) string {
	row := map[string]string{c.spec.Key: `"0000024-01-001"`}
	for _, column := range c.names {
		switch {
		case column == c.spec.Key:
		case c.spec.Sensitive("source." + column):
			row[column] = rapid.SampledFrom([]string{
				`"` + canary + `"`, `" ` + canary + `\u00e9 #"`, `{"` + canary + `":["` + canary + `"]}`, `["` + canary + `"]`, `"\"` + canary + `\\"`,
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

// broken draws a spoiled copy of a text: bytes lost, doubled, put in.
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
			text = text[:from] + rapid.SampledFrom([]string{`"`, `\`, `,`, `:`, `{`, `}`, "\x00", "\xff", `\ud800`, `"ttxid":"9",`, canary}).Draw(t, "put in") + text[from:]
		default:
			text = text[:from]
		}
	}
	return text
}

// Whatever a row looks like, what cleaning says of it never tells what a sensitive column holds.
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
			e, err := NewExplainer(spec, nil)
			require.NoError(t, err)
			good := bakery().document(t, specWith(t))
			refused, quarantined, explained := 0, 0, 0
			check := func(t *rapid.T) {
				row, err := c.Clean([]byte(broken(t, canaryRow(t, c))))
				if err != nil {
					refused++
					require.False(t, sing(err.Error()), "%s", err)
					return
				}
				for _, said := range append(row.Flags, row.Quarantine) {
					require.False(t, sing(said), "%s", said)
				}
				if row.Quarantine != "" {
					quarantined++
					return
				}
				explained++
				damaged := []byte(broken(t, string(row.Document)))
				for _, sameSpec := range []bool{true, false} {
					if _, _, err := e.Explain(damaged, good, sameSpec); err != nil {
						require.False(t, sing(err.Error()), "%s", err)
					}
					if _, _, err := e.Explain(good, damaged, sameSpec); err != nil {
						require.False(t, sing(err.Error()), "%s", err)
					}
				}
				if _, err := c.Source(damaged); err != nil {
					require.False(t, sing(err.Error()), "%s", err)
				}
			}
			// A short test makes few tries at a time, of which none may come so far.
			for range 20 {
				rapid.Check(t, check)
				if refused > 0 && quarantined > 0 && explained > 0 {
					break
				}
			}
			require.NotZero(t, refused)
			require.NotZero(t, quarantined)
			if name == "as it is" {
				require.NotZero(t, explained)
			}
		})
	}
}

// A row is taken apart exactly when it is a JSON object; the JSON library is asked here for another opinion.
func TestReadsJSON(t *testing.T) {
	c := newCleaner(t)
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		raw := broken(t, canaryRow(t, c))
		valid := jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true)) && jsontext.Value(raw).Kind() == jsontext.KindBeginObject
		_, err := c.Clean([]byte(raw))
		if err != nil && strings.Contains(err.Error(), "is there twice") {
			return
		}
		require.Equal(t, valid, err == nil, "%q: %v", raw, err)
		if !valid {
			return
		}
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
