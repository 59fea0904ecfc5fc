package ntfsparse

// Limits of what this package accepts or holds, whatever the volume says.
const (
	maxClusterSize = 2 << 20  // Windows' own limit
	maxRecordSize  = 64 << 10 // real volumes have 1 or 4 KiB
	maxIndexBlock  = 64 << 10 // real volumes have 4 KiB
	maxAttrList    = 256 << 10
	maxRuns        = 1 << 22  // per stream; 16 bytes each
	maxExtRecords  = 16 << 20 // bytes of extension records of one file, beside the list's own limit
	maxReparse     = 16 << 10
	maxEAs         = 64 << 10
	maxSecurity    = 64 << 10
	maxDepth       = 1024    // of a path
	maxTreeDepth   = 32      // of an index
	maxEntries     = 1 << 16 // of one index node
	metaPage       = 16 << 10
	metaCacheSize  = 8 << 20 // pages of MFT and indexes
	unitCacheSize  = 8 << 20 // decompressed units
	maxNotes       = 100
)
