package cleaning

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/dataset"
	"padron/internal/testenv"
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
	// Nothing here may become San Francisco, because it is not certain.
	for _, s := range []string{
		"San", "San Mateo", "Ssan Francisco", "Sosan Francisco", "North San Francisco", "No San Francisco", "East San Francisco", "Near San Francisco",
		"San Franci", "Francisco", "San Francisco De Macoris", "Ss San Francisco", "Sausalito", "San Fernando", "South Francisco", "60601", "S3 San", "Soth San Francisco", "S an Francisco", "Souht San Francisco", "San Francisco South",
	} {
		assert.NotEqual(t, "San Francisco", cleanedCity(t, c, s), s)
	}
	// Nor another city: "north" is two letters away from "south".
	for _, s := range []string{
		"Brisbane Q4068", "Vancouver, Bc V6a 1e1 Canada", "Oakland", "San Bruno", "San Carlos", "North San Francisco", "Out San Francisco",
	} {
		assert.Equal(t, s, cleanedCity(t, c, s))
	}
}

// The cap on remembered spellings must not change a result.
func TestCityBeyondMemory(t *testing.T) {
	c := newCleaner(t)
	for i := range rememberMax + 1000 {
		c.cities.spell(strings.Repeat("x", i%50) + string(rune('a'+i/50%26)) + string(rune('a'+i/1300)))
	}
	assert.Len(t, c.cities.remembered, rememberMax)
	assert.Equal(t, "San Francisco", cleanedCity(t, c, "San Fransisco"))
}

// A value with a direction before the name, with up to two typing errors in it,
// is not San Francisco.
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

func TestCitiesOfTheRegister(t *testing.T) {
	for _, path := range testenv.Files(t, "sf/city_spellings_2020.json") {
		c := newCleaner(t)
		counts := map[string]int{}
		for _, raw := range readRows(t, path) {
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
		// These were examined one by one: misspellings, abbreviations, two zips, and
		// the seats, rooms and levels of a ballpark and an airport before the name.
		assert.Equal(t, map[string]int{"San Francisco": 83, "South San Francisco": 9, "none": 1}, counts)
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"abc", "abd", 1}, {"abcd", "acbd", 1}, {"sanfransico", "sanfrancisco", 2}, {"ssanfrancisco", "sanfrancisco", 1}} {
		assert.Equal(t, test.want, distance(test.a, test.b, 3), test.a)
		assert.Equal(t, test.want, distance(test.b, test.a, 3), test.b)
	}
	assert.Equal(t, 2, distance("abcd", "ab", 2), "at the limit")
	assert.Equal(t, 2, distance("ab", "abcd", 2), "at the limit")
	assert.Greater(t, distance("oakland", "sanfrancisco", 2), 2)
	long := strings.Repeat("a", 64)
	assert.Equal(t, 1, distance(long[1:], long[2:], 2), "as long as is compared")
	assert.Greater(t, distance(long, long[1:], 2), 2, "longer")
	assert.Greater(t, distance(long[1:], long, 2), 2, "longer")
	assert.Greater(t, distance(strings.Repeat("a", 70), strings.Repeat("a", 70), 2), 2)
}

func TestSpaces(t *testing.T) {
	for in, want := range map[string]string{"ana+zoo": "Ana Zoo", "San+jose": "San Jose", "a++b": "A B", "`x+{y": "`x {y", "one two": "one two"} {
		assert.Equal(t, want, spaces(in), in)
	}
}

// TestACityNamedAsASuffix is not cut off as one.
func TestACityNamedAsASuffix(t *testing.T) {
	c, err := New(specWith(t, "suffixes: [ca,", "suffixes: [daly, ca,", "    - name: South San", "    - name: Daly\n    - name: South San"))
	require.NoError(t, err)
	assert.Equal(t, "Daly", cleanedCity(t, c, "DALY"))
}

func TestDirection(t *testing.T) {
	for text, want := range map[string]byte{
		"san francisco": 0, "south": 's', "so san s": 's', "n": 'n', "east": 'e', "w": 'w',
		"south west": 'x', "so n": 'x', "near": 'x', "south of": 'x', "soth": '?', "soth south": 'x', "so soth": 'x', "sot": '?', "sa": 0,
	} {
		assert.Equal(t, string(want), string(direction(strings.Fields(text))), text)
	}
}

// TestNamesOfTenLetters are the shortest that are found with typing errors.
func TestNamesOfTenLetters(t *testing.T) {
	spec := *specWith(t)
	spec.Cities = dataset.Cities{Names: []dataset.City{{Name: "Emeryville"}, {Name: "Sausalito"}}}
	c, err := New(&spec)
	require.NoError(t, err)
	assert.Equal(t, "Emeryville", cleanedCity(t, c, "Emeryvile"))
	assert.Equal(t, "Sausalitto", cleanedCity(t, c, "Sausalitto"), "nine letters are too few")
	spec.Cities.Names = append(spec.Cities.Names, dataset.City{Name: "Emeryvilla"})
	c, err = New(&spec)
	require.NoError(t, err)
	assert.Equal(t, "Emeryvill", cleanedCity(t, c, "Emeryvill"), "as near to either")
}

func TestASpecWithoutCities(t *testing.T) {
	spec := *specWith(t)
	spec.Cities = dataset.Cities{}
	c, err := New(&spec)
	require.NoError(t, err)
	for in, want := range map[string]string{"Oakland": "Oakland", "San+jose": "San Jose", "Sf": "Sf", "94110": ""} {
		assert.Equal(t, want, cleanedCity(t, c, in))
	}
}
