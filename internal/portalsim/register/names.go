package register

// firstNames are first names of owners.
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

// lastEnds are the second halves of last names.
var lastEnds = [...]string{
	"berg", "bury", "by", "croft", "dale", "den", "feld", "field", "ford", "gate", "ham", "haven", "hurst", "land",
	"ley", "low", "man", "marsh", "mere", "more", "ness", "over", "ridge", "sen", "shaw", "side", "smith", "son",
	"stead", "stone", "ton", "wald", "ward", "way", "well", "wick", "wood", "worth",
}

// adjectives begin the names of businesses.
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

// nouns follow the adjectives.
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

// forms are the legal forms of companies.
var forms = [...]string{
	"Inc", "Llc", "Corp", "Lp", "Co", "Llp",
}
