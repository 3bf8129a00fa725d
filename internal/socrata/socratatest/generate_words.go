package socratatest

// The words of the generator. Places are San Francisco's own; people and businesses are put together from plain words,
// so that none of them is anyone in particular.

// districtShare is how often a row of a neighborhood lies in a supervisor district, in percent.
type districtShare struct {
	number string
	share  int
}

// neighborhoodWords is one of the 41 analysis neighborhoods: its rows in the register of August 2017 as weight, the
// middle of its area and how far rows lie from it (degrees).
type neighborhoodWords struct {
	name                 string
	weight               int
	lon, lat             float64
	lonSpread, latSpread float64
	districts            []districtShare
	zips                 []string
}

// neighborhoods are the 41, by name.
var neighborhoods = [...]neighborhoodWords{
	{"Bayview Hunters Point", 5714, -122.3870, 37.7306, 0.0124, 0.0125, []districtShare{{"10", 100}}, []string{"94124"}},
	{"Bernal Heights", 2944, -122.4155, 37.7405, 0.0063, 0.0054, []districtShare{{"9", 97}, {"8", 3}}, []string{"94110"}},
	{"Castro/Upper Market", 3991, -122.4355, 37.7622, 0.0064, 0.0040, []districtShare{{"8", 100}}, []string{"94114"}},
	{"Chinatown", 4326, -122.4076, 37.7960, 0.0037, 0.0021, []districtShare{{"3", 100}}, []string{"94108", "94133"}},
	{"Excelsior", 2626, -122.4314, 37.7183, 0.0068, 0.0082, []districtShare{{"11", 98}, {"9", 2}}, []string{"94112"}},
	{"Financial District/South Beach", 18350, -122.3974, 37.7896, 0.0059, 0.0063, []districtShare{{"6", 55}, {"3", 45}}, []string{"94111", "94105", "94104"}},
	{"Glen Park", 955, -122.4364, 37.7401, 0.0077, 0.0033, []districtShare{{"8", 100}}, []string{"94131"}},
	{"Golden Gate Park", 44, -122.4836, 37.7691, 0.0208, 0.0027, []districtShare{{"4", 39}, {"1", 31}, {"7", 26}, {"5", 4}}, []string{"94122", "94121"}},
	{"Haight Ashbury", 2759, -122.4457, 37.7690, 0.0065, 0.0032, []districtShare{{"8", 55}, {"5", 45}}, []string{"94117"}},
	{"Hayes Valley", 3511, -122.4288, 37.7748, 0.0060, 0.0024, []districtShare{{"5", 84}, {"8", 10}, {"6", 6}}, []string{"94102", "94117"}},
	{"Inner Richmond", 3299, -122.4652, 37.7808, 0.0045, 0.0051, []districtShare{{"1", 100}}, []string{"94118"}},
	{"Inner Sunset", 3244, -122.4656, 37.7590, 0.0085, 0.0052, []districtShare{{"7", 89}, {"8", 11}}, []string{"94122"}},
	{"Japantown", 755, -122.4346, 37.7851, 0.0062, 0.0009, []districtShare{{"5", 81}, {"2", 19}}, []string{"94115"}},
	{"Lakeshore", 936, -122.4909, 37.7200, 0.0112, 0.0079, []districtShare{{"7", 97}, {"4", 3}}, []string{"94132"}},
	{"Lincoln Park", 21, -122.5013, 37.7844, 0.0051, 0.0023, []districtShare{{"1", 100}}, []string{"94121"}},
	{"Lone Mountain/USF", 1815, -122.4490, 37.7777, 0.0055, 0.0030, []districtShare{{"1", 44}, {"2", 34}, {"5", 22}}, []string{"94118", "94117"}},
	{"Marina", 4802, -122.4367, 37.8014, 0.0077, 0.0039, []districtShare{{"2", 100}}, []string{"94123"}},
	{"McLaren Park", 22, -122.4194, 37.7179, 0.0053, 0.0033, []districtShare{{"10", 57}, {"9", 29}, {"11", 14}}, []string{"94134"}},
	{"Mission Bay", 1933, -122.3933, 37.7709, 0.0059, 0.0043, []districtShare{{"6", 93}, {"10", 7}}, []string{"94158", "94107"}},
	{"Mission", 10489, -122.4161, 37.7600, 0.0071, 0.0078, []districtShare{{"9", 70}, {"8", 14}, {"6", 10}, {"10", 6}}, []string{"94110", "94103"}},
	{"Nob Hill", 4123, -122.4144, 37.7911, 0.0040, 0.0034, []districtShare{{"3", 100}}, []string{"94109", "94108"}},
	{"Noe Valley", 3064, -122.4336, 37.7482, 0.0068, 0.0042, []districtShare{{"8", 99}, {"9", 1}}, []string{"94114", "94131"}},
	{"North Beach", 3000, -122.4095, 37.8056, 0.0049, 0.0034, []districtShare{{"3", 100}}, []string{"94133"}},
	{"Oceanview/Merced/Ingleside", 1882, -122.4609, 37.7169, 0.0069, 0.0042, []districtShare{{"11", 91}, {"7", 9}}, []string{"94112", "94132"}},
	{"Outer Mission", 1850, -122.4435, 37.7211, 0.0082, 0.0089, []districtShare{{"11", 96}, {"8", 4}}, []string{"94112"}},
	{"Outer Richmond", 5109, -122.4910, 37.7779, 0.0146, 0.0040, []districtShare{{"1", 100}}, []string{"94121"}},
	{"Pacific Heights", 3849, -122.4352, 37.7912, 0.0075, 0.0032, []districtShare{{"2", 90}, {"5", 10}}, []string{"94115", "94109"}},
	{"Portola", 1119, -122.4082, 37.7263, 0.0055, 0.0047, []districtShare{{"9", 89}, {"10", 9}, {"11", 2}}, []string{"94134"}},
	{"Potrero Hill", 3247, -122.3942, 37.7592, 0.0077, 0.0044, []districtShare{{"10", 96}, {"6", 4}}, []string{"94107"}},
	{"Presidio Heights", 2113, -122.4512, 37.7863, 0.0048, 0.0029, []districtShare{{"2", 98}, {"5", 2}}, []string{"94118", "94115"}},
	{"Presidio", 417, -122.4680, 37.7974, 0.0114, 0.0060, []districtShare{{"2", 100}}, []string{"94129"}},
	{"Russian Hill", 2897, -122.4201, 37.8008, 0.0031, 0.0045, []districtShare{{"3", 80}, {"2", 20}}, []string{"94109", "94133"}},
	{"Seacliff", 186, -122.4878, 37.7867, 0.0045, 0.0016, []districtShare{{"1", 100}}, []string{"94121"}},
	{"South of Market", 7551, -122.4060, 37.7773, 0.0057, 0.0042, []districtShare{{"6", 100}}, []string{"94103", "94107"}},
	{"Sunset/Parkside", 7333, -122.4927, 37.7491, 0.0116, 0.0109, []districtShare{{"4", 100}}, []string{"94122", "94116"}},
	{"Tenderloin", 3888, -122.4158, 37.7835, 0.0038, 0.0032, []districtShare{{"5", 75}, {"3", 18}, {"6", 7}}, []string{"94102", "94109"}},
	{"Treasure Island", 327, -122.3694, 37.8220, 0.0047, 0.0086, []districtShare{{"6", 100}}, []string{"94130"}},
	{"Twin Peaks", 662, -122.4500, 37.7519, 0.0054, 0.0039, []districtShare{{"7", 66}, {"8", 34}}, []string{"94131", "94114"}},
	{"Visitacion Valley", 1009, -122.4094, 37.7125, 0.0073, 0.0032, []districtShare{{"10", 100}}, []string{"94134"}},
	{"West of Twin Peaks", 4264, -122.4602, 37.7340, 0.0110, 0.0085, []districtShare{{"7", 98}, {"8", 2}}, []string{"94127", "94116"}},
	{"Western Addition", 2703, -122.4298, 37.7819, 0.0070, 0.0028, []districtShare{{"5", 67}, {"2", 33}}, []string{"94115", "94109"}},
}

// weightedWord is a word and how often it occurs beside the others of its list.
type weightedWord struct {
	word   string
	weight int
}

// citySpellings are other ways in which San Francisco stands in the city column, as often as in 2020.
var citySpellings = [...]weightedWord{
	{"San+francisco", 222},
	{"Sf", 146},
	{"San Fransisco", 52},
	{"San Franciso", 38},
	{"San Francsico", 38},
	{"Sanfrancisco", 28},
	{"San Fransico", 24},
	{"San  Francisco", 22},
	{"San Fracisco", 22},
	{"San Frnacisco", 20},
	{"San Francico", 14},
	{"San Franicsco", 12},
	{"San Francicso", 10},
	{"San Franisco", 8},
	{"Field Level San Francisco", 6},
	{"San Fancisco", 6},
	{"San Francsco", 6},
	{"San Franscisco", 6},
	{"Sec 314 San Francisco", 6},
	{"Sec 331 San Francisco", 6},
	{"San Fran", 4},
	{"San Francisc", 4},
	{"San Franciscio", 4},
	{"San Francisco, Ca", 4},
	{"Sec 317 San Francisco", 4},
	{"Sn Francisco", 4},
	{"94104", 2},
	{"94132", 2},
	{"Club Level, San Francisco", 2},
	{"Level Sec 317 San Francisco", 2},
	{"Levi Landing San Francisco", 2},
	{"Lower Cent Fd San Francisco", 2},
	{"Rm 232 San Francisco", 2},
	{"Rm 3210, San Francisco", 2},
	{"Rm 4.21.02 San Francisco", 2},
	{"Room 2130, San Francisco", 2},
	{"Sa Francisco", 2},
	{"San Farancisco", 2},
	{"San Ffrancisco", 2},
	{"San Fraancisco", 2},
	{"San Fracnisco", 2},
	{"San Framcisco", 2},
	{"San Franccisco", 2},
	{"San Francicsco", 2},
	{"San Franciisco", 2},
	{"San Francis", 2},
	{"San Francisc0", 2},
	{"San Francisca", 2},
	{"San Franciscco", 2},
	{"San Franciscfo", 2},
	{"San Francisci", 2},
	{"San Francisco,", 2},
	{"San Francisco, California", 2},
	{"San Franciscoq", 2},
	{"San Francisoc", 2},
	{"San Francissco", 2},
	{"San Francsisco", 2},
	{"San Franncisco", 2},
	{"San Frascisco", 2},
	{"San Frncisco", 2},
	{"San Rancisco", 2},
	{"San+fracisco", 2},
	{"San+francsico", 2},
	{"San+franscisco", 2},
	{"Sanfrancisoc", 2},
	{"Sanfransico", 2},
	{"Sec 320 Rm 5319 San Francisco", 2},
	{"T3 Sfo San Francisco", 2},
}

// southCitySpellings all mean South San Francisco, which is another city.
var southCitySpellings = [...]weightedWord{
	{"South San Francisco", 104},
	{"S San Fran", 90},
	{"South+san+francisco", 6},
	{"S. San Francisco", 4},
	{"S S Franisco", 2},
	{"S San Francisco", 2},
	{"So San Francisco", 2},
	{"South Sa. Francisco", 2},
	{"South Sanfrancisco", 2},
}

// nearCities are the towns around the bay and the larger ones of the state, as often as in 2020.
var nearCities = [...]weightedWord{
	{"Oakland", 314},
	{"Daly City", 202},
	{"San Jose", 102},
	{"San Mateo", 74},
	{"Hayward", 72},
	{"Berkeley", 68},
	{"San Bruno", 68},
	{"Alameda", 66},
	{"Fremont", 60},
	{"San Leandro", 58},
	{"San Rafael", 56},
	{"Concord", 52},
	{"Pacifica", 50},
	{"Richmond", 48},
	{"Sacramento", 46},
	{"Burlingame", 42},
	{"Palo Alto", 34},
	{"Petaluma", 34},
	{"Vallejo", 34},
	{"Millbrae", 32},
	{"Santa Rosa", 32},
	{"Emeryville", 30},
	{"Mill Valley", 30},
	{"Santa Clara", 30},
	{"Los Angeles", 28},
	{"Hercules", 26},
	{"Sunnyvale", 28},
	{"San Diego", 26},
	{"San Pablo", 25},
	{"Fairfield", 24},
	{"Pleasanton", 24},
	{"Redwood City", 24},
	{"San Carlos", 24},
	{"Walnut Creek", 24},
	{"Foster City", 22},
	{"Livermore", 22},
	{"Irvine", 22},
	{"Sausalito", 22},
	{"Belmont", 20},
	{"Brisbane", 20},
	{"Novato", 20},
	{"Cupertino", 18},
	{"Half Moon Bay", 18},
	{"Albany", 16},
	{"Antioch", 16},
	{"Pinole", 16},
	{"Pittsburg", 16},
	{"Castro Valley", 14},
	{"Danville", 14},
	{"Dublin", 14},
	{"El Cerrito", 14},
	{"Hillsborough", 14},
	{"Napa", 14},
	{"Stockton", 14},
}

// oddCities are what else the city column holds.
var oddCities = [...]weightedWord{
	{"NA", 18},
	{"Mexico", 18},
	{"Brisbane Q4068", 36},
	{"Daly+city", 20},
	{"Walnut+creek", 6},
	{"San+jose", 4},
	{"Field Lvl Sect 109", 2},
	{"Vancouver, Bc V6a 1e1 Canada", 2},
	{"San", 4},
	{"American Cyn", 32},
}

// farCity is a town in another state, with the beginning of its zips.
type farCity struct{ name, state, zip string }

// farCities has a town for each state; the first ones come most often.
var farCities = [...]farCity{
	{"New York", "NY", "100"},
	{"Seattle", "WA", "981"},
	{"Chicago", "IL", "606"},
	{"Miami", "FL", "331"},
	{"Orlando", "FL", "328"},
	{"Las Vegas", "NV", "891"},
	{"Boston", "MA", "021"},
	{"Newark", "NJ", "071"},
	{"Baltimore", "MD", "212"},
	{"Dallas", "TX", "752"},
	{"Denver", "CO", "802"},
	{"Houston", "TX", "770"},
	{"Portland", "OR", "972"},
	{"Washington", "DC", "200"},
	{"Albuquerque", "NM", "871"},
	{"Minnetonka", "MN", "553"},
	{"Nashville", "TN", "372"},
	{"Pittsburgh", "PA", "152"},
	{"Sioux Falls", "SD", "571"},
	{"Toledo", "OH", "436"},
	{"Atlanta", "GA", "303"},
	{"Austin", "TX", "787"},
	{"Columbus", "OH", "432"},
	{"Memphis", "TN", "381"},
	{"Phoenix", "AZ", "850"},
	{"Salt Lake City", "UT", "841"},
	{"Saint Louis", "MO", "631"},
	{"Honolulu", "HI", "968"},
	{"Anchorage", "AK", "995"},
	{"Boise", "ID", "837"},
	{"Omaha", "NE", "681"},
	{"Tulsa", "OK", "741"},
	{"Wichita", "KS", "672"},
	{"Louisville", "KY", "402"},
	{"Richmond", "VA", "232"},
	{"Charlotte", "NC", "282"},
	{"Charleston", "SC", "294"},
	{"Birmingham", "AL", "352"},
	{"Jackson", "MS", "392"},
	{"Little Rock", "AR", "722"},
	{"New Orleans", "LA", "701"},
	{"Des Moines", "IA", "503"},
	{"Milwaukee", "WI", "532"},
	{"Indianapolis", "IN", "462"},
	{"Detroit", "MI", "482"},
	{"Wilmington", "DE", "198"},
	{"Providence", "RI", "029"},
	{"Hartford", "CT", "061"},
	{"Concord", "NH", "033"},
	{"Burlington", "VT", "054"},
	{"Portland", "ME", "041"},
	{"Fargo", "ND", "581"},
	{"Billings", "MT", "591"},
	{"Cheyenne", "WY", "820"},
	{"Charleston", "WV", "253"},
}

// oddStates are what the state column holds beside the states.
var oddStates = [...]string{
	"ca", "ny", "tx", "BC", "ON", "QC", "AB", "PR", "GU", "VI",
}

// oddZips are placeholders and foreign ones.
var oddZips = [...]string{
	"00000", "99999", "00000", "99999", "94XXX", "06600", "Q4068", "V6A", "1E1", "M5V", "2T6", "EC1A", "1BB", "941",
	"V6A 1E1", "M5V 2T6",
}

// streets name addresses.
var streets = [...]string{
	"Market St", "Mission St", "Valencia St", "Geary Blvd", "California St", "Clement St", "Irving St", "Judah St",
	"Taraval St", "Noriega St", "Lawton St", "Balboa St", "Fulton St", "Haight St", "Page St", "Oak St", "Fell St",
	"Hayes St", "Grove St", "Mcallister St", "Golden Gate Ave", "Turk St", "Eddy St", "Ellis St", "Ofarrell St",
	"Post St", "Sutter St", "Bush St", "Pine St", "Sacramento St", "Clay St", "Washington St", "Jackson St",
	"Pacific Ave", "Broadway", "Vallejo St", "Green St", "Union St", "Filbert St", "Greenwich St", "Lombard St",
	"Chestnut St", "Francisco St", "Bay St", "North Point St", "Beach St", "Columbus Ave", "Grant Ave", "Stockton St",
	"Powell St", "Mason St", "Taylor St", "Jones St", "Leavenworth St", "Hyde St", "Larkin St", "Polk St",
	"Van Ness Ave", "Franklin St", "Gough St", "Octavia St", "Laguna St", "Buchanan St", "Webster St", "Fillmore St",
	"Steiner St", "Pierce St", "Scott St", "Divisadero St", "Broderick St", "Folsom St", "Harrison St", "Bryant St",
	"Brannan St", "Townsend St", "King St", "2nd St", "3rd St", "4th St", "5th St", "6th St", "7th St", "8th St",
	"9th St", "10th St", "16th St", "17th St", "18th St", "19th Ave", "20th St", "22nd St", "24th St", "25th Ave",
	"Castro St", "Noe St", "Sanchez St", "Church St", "Dolores St", "Guerrero St", "Cortland Ave", "Cesar Chavez St",
	"San Bruno Ave", "Ocean Ave", "Monterey Blvd", "Portola Dr", "Bayshore Blvd", "Evans Ave", "Geneva Ave",
	"Alemany Blvd", "Sloat Blvd",
}

// firstNames and the parts of last names make people of nobody.
var firstNames = [...]string{
	"Alex", "Sam", "Kim", "Pat", "Chris", "Jordan", "Taylor", "Casey", "Jamie", "Robin", "Lee", "Morgan", "Drew",
	"Avery", "Quinn", "Riley", "Dana", "Terry", "Jo", "Lou", "Max", "Nico", "Ari", "Remy", "Sasha", "Toni", "Val",
	"Wren", "Sky", "Rene", "Noel", "Lane", "Kit", "Jules", "Gale", "Francis", "Ellis", "Devon", "Cory", "Blair", "Ash",
	"Bo", "Cam", "Dale", "Eden", "Finley", "Gray", "Harper", "Indy", "Jess", "Kai", "Lake", "Marley", "Nat", "Oakley",
	"Parker", "Reese", "Sage", "Tatum", "Uma", "Vesper", "Winter", "Xen", "Yael", "Zion",
}

// lastBegins are the first halves of last names.
var lastBegins = [...]string{
	"Alder", "Apple", "Ash", "Barley", "Beech", "Birch", "Black", "Blue", "Brook", "Bush", "Cedar", "Cherry", "Clay",
	"Clover", "Copper", "Corn", "Dale", "Dew", "Elder", "Elm", "Fern", "Field", "Fir", "Flint", "Fog", "Frost", "Glen",
	"Gold", "Grass", "Green", "Grove", "Hay", "Hazel", "Heath", "Hill", "Holly", "Iron", "Ivy", "Juniper", "Lake",
	"Larch", "Laurel", "Leaf", "Lime", "Linden", "Maple", "Marsh", "Mead", "Mist", "Moor", "Moss", "Oak", "Olive",
	"Peach", "Pear", "Pine", "Plum", "Pond", "Poplar", "Quill", "Rain", "Reed", "Ridge", "River", "Rock", "Rose",
	"Rowan", "Rush", "Rye", "Sage", "Sand", "Sea", "Shell", "Silver", "Slate", "Snow", "Spruce", "Star", "Stone",
	"Storm", "Straw", "Sun", "Thorn", "Thistle", "Timber", "Tulip", "Vale", "Vine", "Walnut", "Water", "Wheat", "White",
	"Willow", "Wind", "Winter", "Wood", "Yarrow", "Yew",
}

// lastEnds are the second halves.
var lastEnds = [...]string{
	"berg", "bury", "by", "croft", "dale", "den", "feld", "field", "ford", "gate", "ham", "haven", "hurst", "land",
	"ley", "low", "man", "marsh", "mere", "more", "ness", "over", "ridge", "sen", "shaw", "side", "smith", "son",
	"stead", "stone", "ton", "wald", "ward", "way", "well", "wick", "wood", "worth",
}

// adjectives, nouns, trades and forms make businesses.
var adjectives = [...]string{
	"Able", "Amber", "Ancient", "Bay", "Best", "Big", "Blue", "Bold", "Bright", "Busy", "Calm", "Central", "Civic",
	"Clear", "Coast", "Common", "Corner", "Cozy", "Daily", "Deep", "Double", "Early", "Eastern", "Easy", "Evergreen",
	"Fair", "Fast", "Fine", "First", "Fresh", "Friendly", "General", "Gentle", "Global", "Golden", "Good", "Grand",
	"Great", "Green", "Happy", "Harbor", "High", "Honest", "Humble", "Ideal", "Inner", "Jolly", "Joyful", "Keen",
	"Kind", "Large", "Light", "Little", "Local", "Lucky", "Main", "Mellow", "Mighty", "Modern", "Neat", "New", "Noble",
	"Northern", "Old", "Open", "Orange", "Outer", "Pacific", "Plain", "Prime", "Proud", "Pure", "Quick", "Quiet",
	"Rapid", "Red", "Regal", "Royal", "Second", "Silver", "Simple", "Smart", "Smooth", "Solid", "Southern", "Steady",
	"Sunny", "Super", "Sweet", "Tidy", "True", "Twin", "United", "Urban", "Vivid", "Warm", "Western", "White", "Wide",
	"Wise", "Young",
}

// nouns of business names.
var nouns = [...]string{
	"Acorn", "Anchor", "Apple", "Arbor", "Arrow", "Atlas", "Badger", "Bamboo", "Beacon", "Bear", "Bell", "Bird",
	"Bloom", "Boat", "Bridge", "Bucket", "Butterfly", "Cable", "Camel", "Candle", "Canyon", "Castle", "Cat", "Cloud",
	"Clover", "Comet", "Compass", "Corner", "Cricket", "Crown", "Daisy", "Dolphin", "Dragon", "Drum", "Eagle", "Echo",
	"Ember", "Falcon", "Feather", "Fern", "Fig", "Finch", "Flame", "Fog", "Fountain", "Fox", "Garden", "Gate", "Globe",
	"Grape", "Hammer", "Harbor", "Hawk", "Heron", "Hill", "Horizon", "Horse", "Island", "Ivy", "Jade", "Jar", "Kettle",
	"Key", "Kite", "Ladder", "Lantern", "Leaf", "Lemon", "Lighthouse", "Lily", "Lion", "Lotus", "Lumber", "Magnet",
	"Maple", "Marble", "Meadow", "Mill", "Mirror", "Moon", "Mountain", "Needle", "Nest", "Nova", "Oak", "Oasis",
	"Ocean", "Orchid", "Otter", "Owl", "Palm", "Paper", "Parrot", "Peach", "Pearl", "Pebble", "Pelican", "Pepper",
	"Pilot", "Pine", "Planet", "Pocket", "Pony", "Prism", "Quilt", "Rabbit", "Raven", "Reef", "River", "Robin",
	"Rocket", "Rose", "Sail", "Salmon", "Seal", "Shell", "Ship", "Spark", "Sparrow", "Spoon", "Star", "Stone", "Sun",
	"Swan", "Table", "Teapot", "Thimble", "Tiger", "Tower", "Trail", "Tree", "Tulip", "Turtle", "Umbrella", "Valley",
	"Violet", "Wagon", "Walnut", "Wave", "Whale", "Willow", "Window", "Wolf", "Wren", "Yard", "Zebra",
}

// sector is a line of business: the old range of the register with its name, codes in use, and what its shops are
// called.
type sector struct {
	code, name string
	weight     int
	codes      []string
	trades     []string
}

var sectors = [...]sector{
	{"7220-7229", "Food Services", 95, []string{"722511", "722513", "722515", "722330", "722410"}, []string{"Cafe", "Kitchen", "Grill", "Bakery", "Noodles", "Tacos", "Coffee", "Bistro"}},
	{"4400-4599", "Retail Trade", 120, []string{"459310", "445110", "458110", "459999", "455110", "449210", "456110"}, []string{"Market", "Shop", "Books", "Flowers", "Goods", "Hardware", "Gifts", "Outfitters"}},
	{"5400-5499", "Professional, Scientific, and Technical Services", 150, []string{"541110", "541211", "541310", "541511", "541512", "541611", "541712", "541922"}, []string{"Consulting", "Design", "Legal", "Studio", "Labs", "Advisors", "Engineering"}},
	{"5300-5399", "Real Estate and Rental and Leasing Services", 130, []string{"531110", "531120", "531210", "531311", "532111"}, []string{"Properties", "Apartments", "Realty", "Rentals", "Holdings"}},
	{"2300-2399", "Construction", 70, []string{"238220", "238210", "236118", "236220", "238320"}, []string{"Builders", "Plumbing", "Electric", "Painting", "Roofing"}},
	{"8100-8139", "Certain Services", 65, []string{"812111", "812112", "811111", "812320", "812990"}, []string{"Salon", "Auto Repair", "Cleaners", "Barbers", "Tailors"}},
	{"4800-4999", "Transportation and Warehousing", 60, []string{"485310", "485999", "484210", "492110"}, []string{"Cab", "Moving", "Delivery", "Transport"}},
	{"7100-7199", "Arts, Entertainment, and Recreation", 45, []string{"711510", "711130", "713940", "713990"}, []string{"Music", "Theater", "Fitness", "Yoga", "Arts"}},
	{"6100-6299", "Private Education and Health Services", 75, []string{"621111", "621210", "621498", "611710", "624410"}, []string{"Clinic", "Dental", "Tutors", "Therapy", "School"}},
	{"5600-5699", "Administrative and Support Services", 45, []string{"561720", "561730", "561320", "561990"}, []string{"Cleaning", "Staffing", "Services", "Landscaping"}},
	{"7210-7219", "Accommodations", 40, []string{"721110", "721191", "721199"}, []string{"Hotel", "Inn", "Guest House", "Lodge"}},
	{"5100-5199", "Information", 40, []string{"519290", "513210", "512110", "517121"}, []string{"Media", "Software", "Pictures", "Networks"}},
	{"5210-5239", "Financial Services", 40, []string{"523910", "523930", "522310", "522320"}, []string{"Capital", "Partners", "Ventures", "Finance"}},
	{"5240-5249", "Insurance", 15, []string{"524210", "524298"}, []string{"Insurance", "Brokers"}},
	{"4200-4299", "Wholesale Trade", 30, []string{"423990", "424490", "424990"}, []string{"Trading", "Supply", "Imports", "Wholesale"}},
	{"3100-3399", "Manufacturing", 25, []string{"339910", "311811", "315250", "323111"}, []string{"Works", "Brewing", "Print", "Ceramics"}},
	{"2200-2299", "Utilities", 3, []string{"221114", "221310"}, []string{"Power", "Water"}},
	{"1100-1199", "Agriculture, Forestry, Fishing and Hunting", 2, []string{"111998", "114111"}, []string{"Farm", "Fish"}},
}

// forms are how companies are incorporated.
var forms = [...]string{
	"Inc", "Llc", "Corp", "Lp", "Co", "Llp",
}

// junkCodes stand in the industry code column and mean nothing.
var junkCodes = [...]string{
	"00", "0", "106122", "999999", "000000", "10", "99", "123456",
}

// license is a local license code with its description.
type license struct{ code, description string }

var licenses = [...]license{
	{"H24", "Restaurant 1,000 - 2,000 Sqft"},
	{"H25", "Restaurant Less Than 1,000 Sqft"},
	{"H26", "Restaurant Over 2,000 Sqft"},
	{"H03", "Food Market Without Food Preparation"},
	{"H07", "Food Product And Marketing Establishment"},
	{"H31", "Tobacco Retailer"},
	{"D08", "Fuel Storage Tank"},
	{"D13", "Self-Service Motor Fuel Dispensing Facilities"},
	{"D14", "Motor Fuel Dispensing Facilities"},
	{"D19", "Vehicle Repair"},
	{"D24", "Towing Firm"},
	{"P01", "Place Of Entertainment"},
	{"P12", "Billiard Parlor"},
}

// corridors are business corridors.
var corridors = [...]string{
	"Mission Street", "Union Street", "Chestnut Street", "Fillmore Street", "Haight Street", "Irving Street",
	"Clement Street", "Noriega Street", "Taraval Street", "Ocean Avenue", "24th Street", "Valencia Street",
	"Polk Street", "Castro Street", "San Bruno Avenue", "Third Street", "Cortland Avenue", "Hayes Valley", "Japantown",
	"Chinatown", "North Beach", "Leland Avenue", "Balboa Street", "Geary Boulevard", "Divisadero Street",
	"Sacramento Street",
}

// benefitDistricts are community benefit districts.
var benefitDistricts = [...]string{
	"Union Square", "Yerba Buena", "Civic Center", "Tenderloin", "Castro/Upper Market", "Fisherman's Wharf",
	"Noe Valley", "North of Market/Tenderloin", "Ocean Avenue", "Greater Rincon Hill", "Top of Broadway", "Lower Polk",
	"Dogpatch & Northwest Potrero Hill", "Downtown", "Discover Polk", "Japantown", "East Cut", "SoMa West",
}

// computedRegions are the portal's own spatial joins: SF Find neighborhoods, police districts, supervisor districts,
// analysis neighborhoods, neighborhoods.
var computedRegions = [...]string{
	":@computed_region_6qbp_sg9q", ":@computed_region_qgnn_b9vv", ":@computed_region_26cr_cadq",
	":@computed_region_ajp5_b2md", ":@computed_region_jwn9_ihcz",
}
