package config

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// forTools are variables of the same beginning that tests and the local stack read.
var forTools = []string{"PADRON_TEST_", "PADRON_BROWSER", "PADRON_MONGOSH", "PADRON_PYTHON"}

// Unknown warns of variables that begin like Padron's settings and are none: a
// misspelled one would be passed over in silence. It tells no values.
func Unknown() ([]string, error) { return unknown(env.ToMap(os.Environ())) }

func unknown(environment map[string]string) ([]string, error) {
	params, err := env.GetFieldParams(&Config{})
	if err != nil {
		return nil, fmt.Errorf("list the settings: %w", err)
	}
	var settings []string
	for _, p := range params {
		if strings.HasPrefix(p.Key, "PADRON_") {
			settings = append(settings, p.Key)
		}
	}
	var warnings []string
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		if !strings.HasPrefix(name, "PADRON_") || slices.Contains(settings, name) ||
			slices.ContainsFunc(forTools, func(tool string) bool { return strings.HasPrefix(name, tool) }) {
			continue
		}
		nearest := slices.MinFunc(settings, func(a, b string) int { return distance(name, a) - distance(name, b) })
		hint := "docs/configuration.md lists them"
		if distance(name, nearest) <= maxDistance {
			hint = "did you mean " + nearest + "?"
		}
		warnings = append(warnings, fmt.Sprintf("%s is no setting and has no effect: %s", name, hint))
	}
	return warnings, nil
}

// maxDistance is how many letters a name may be wrong in to be taken for another.
const maxDistance = 4

// distance is how many letters are to be put in, taken out or replaced to make b
// of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
