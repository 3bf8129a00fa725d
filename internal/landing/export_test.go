package landing

// Bounds that tests of what others see go up to.
const (
	MaxKey    = maxKey
	MaxRecord = maxRecord
)
