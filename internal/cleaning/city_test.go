package cleaning

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// cleanedCity is what becomes of a value of the city column.
func cleanedCity(t require.TestingT, c *Cleaner, city string) string {
	raw, err := json.Marshal(map[string]string{"ttxid": "1", "city": city})
	require.NoError(t, err)
	row, err := c.Clean(raw)
	require.NoError(t, err)
	cleaned, _ := row.Document.Lookup("address", "city").StringValueOK()
	return cleaned
}

func TestCity(t *testing.T) {
	c := newCleaner(t)
	for city, spellings := range map[string][]string{
		"San Francisco": {
			"San Francisco", "SAN FRANCISCO", "san francisco", "San+francisco", "San Fransisco", "San  Francisco", "Sf", "S.F.", "S F", "Sanfrancisco",
			"San Francisc0", "San Francisco, Ca", "San Francisco Ca 94110", "San Francisco, California", "94104", "San Fran", "San Rancisco", "Sn Francisco", "Sa Francisco",
			"Sec 314 San Francisco", "Level Sect 311 San Francisco", "Rm 4.21.02 San Francisco", "Room 2130, San Francisco", "San Fráncisco", "City of San Francisco",
			"T3 Sfo San Francisco", "PLAYA San Francisco",
		},
		"South San Francisco": {
			"South San Francisco", "S San Fran", "So San Francisco", "S. San Francisco", "South+san+francisco", "S S Franisco", "South Sa. Francisco",
			"South Sanfrancisco", "SSF", "So San Fran", "South San Fransisco", "Bldg 3 South San Francisco", "S San Franscisoc", "South San Francisco Ca 94080",
		},
	} {
		for _, s := range spellings {
			assert.Equal(t, city, cleanedCity(t, c, s), s)
		}
	}
	// Nothing here may become San Francisco; what it is cannot be told for certain.
	for _, s := range []string{
		"San", "San Mateo", "Ssan Francisco", "Sosan Francisco", "North San Francisco", "No San Francisco", "East San Francisco", "Near San Francisco",
		"San Franci", "Francisco", "San Francisco De Macoris", "Ss San Francisco", "Sausalito", "San Fernando", "South Francisco", "60601", "S3 San", "Soth San Francisco", "S an Francisco", "Souht San Francisco", "San Francisco South",
	} {
		assert.NotEqual(t, "San Francisco", cleanedCity(t, c, s), s)
	}
	for _, s := range []string{"Brisbane Q4068", "Vancouver, Bc V6a 1e1 Canada", "Oakland", "San Bruno", "San Carlos"} {
		assert.Equal(t, s, cleanedCity(t, c, s))
	}
}

// The cap on remembered spellings must not change a result.
func TestCityBeyondMemory(t *testing.T) {
	c := newCleaner(t)
	for i := range rememberMax + 10 {
		c.cities.spell(strings.Repeat("x", i%50) + string(rune('a'+i/50%26)) + string(rune('a'+i/1300)))
	}
	assert.LessOrEqual(t, len(c.cities.remembered), rememberMax)
	assert.Equal(t, "San Francisco", cleanedCity(t, c, "San Fransisco"))
}

// Whoever writes a direction before the name, with up to two typing errors in it, does not mean San Francisco.
func TestSouthIsNeverFoldedIn(t *testing.T) {
	c := newCleaner(t)
	rapid.Check(t, func(t *rapid.T) {
		name := []byte("san francisco")
		for range rapid.IntRange(0, 2).Draw(t, "errors") {
			i := rapid.IntRange(0, len(name)-2).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "error") {
			case 0:
				name = append(name[:i], name[i+1:]...)
			case 1:
				name[i], name[i+1] = name[i+1], name[i]
			case 2:
				name[i] = byte('a' + rapid.IntRange(0, 25).Draw(t, "letter"))
			}
		}
		south := rapid.SampledFrom([]string{"South ", "S ", "So ", "S. ", "So. ", "Sth ", "South+", "SOUTH "}).Draw(t, "south")
		require.NotEqual(t, "San Francisco", cleanedCity(t, c, south+string(name)))
	})
}

func TestRealCities(t *testing.T) {
	c := newCleaner(t)
	counts := map[string]int{}
	for _, raw := range realRows(t, "city_spellings_2020.json") {
		var spelling [2]any
		require.NoError(t, json.Unmarshal(raw, &spelling))
		city := spelling[0].(string)
		clean := cleanedCity(t, c, city)
		switch clean {
		case "San Francisco", "South San Francisco":
			counts[clean]++
		case "":
			counts["none"]++
			assert.Equal(t, "NA", city)
		default:
			assert.Equal(t, strings.ToLower(strings.ReplaceAll(city, "+", " ")), strings.ToLower(clean), "another city stays")
		}
	}
	// Looked through one by one: misspellings, abbreviations, two zips, and the seats, rooms and levels of a
	// ballpark and an airport before the name.
	assert.Equal(t, map[string]int{"San Francisco": 83, "South San Francisco": 9, "none": 1}, counts)
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"abc", "abd", 1}, {"abcd", "acbd", 1}, {"sanfransico", "sanfrancisco", 2}, {"ssanfrancisco", "sanfrancisco", 1}} {
		assert.Equal(t, test.want, distance(test.a, test.b, 3), test.a)
		assert.Equal(t, test.want, distance(test.b, test.a, 3), test.b)
	}
	assert.Greater(t, distance("oakland", "sanfrancisco", 2), 2)
	assert.Greater(t, distance(strings.Repeat("a", 70), strings.Repeat("a", 70), 2), 2)
}
