package ntfsparse

// Limits of what this package accepts or holds, whatever the volume says.
const (
	maxClusterSize = 2 << 20  // Windows' own limit
	maxRecordSize  = 64 << 10 // real volumes have 1 or 4 KiB
	maxIndexBlock  = 64 << 10 // real volumes have 4 KiB
	maxAttrList    = 256 << 10
	maxBadExt      = 64       // extension records that are not the file's, until its list is given up
	longList       = 64       // entries of an attribute list with which a file is remembered
	listEntrySize  = 32       // bytes of most entries
	minExtensions  = 64 << 20 // bytes of lists and extension records that a walk or a listing reads of a small volume
	minIndexes     = 1 << 20  // bytes of indexes that a walk or a listing goes through of a small volume
	nameCost       = 64       // bytes for an attribute that is looked at for a name once more
	maxRuns        = 1 << 22  // per stream; 16 bytes each
	maxExtRecords  = 40 << 20 // bytes of extension records of one file: all that a list can name, of 4 KiB each
	maxExtensions  = 1 << 22  // records that say to be extensions, 8 bytes each, among which those of damaged files are sought
	maxReparse     = 16 << 10
	maxEAs         = 64 << 10
	maxSecurity    = 64 << 10
	maxDepth       = 1024 // of a path
	maxTreeDepth   = 32   // of an index
	metaPage       = 16 << 10
	metaCacheSize  = 8 << 20  // pages of MFT and indexes
	unitCacheSize  = 8 << 20  // decompressed units
	maxWindow      = 64 << 20 // pages of a bitmap
	maxNotes       = 100
	maxContainers  = 1 << 18  // of a chunk store; 1 GiB each on Windows
	maxMoved       = 1 << 20  // entries of a table of moved chunks
	maxChunk       = 1 << 20  // plain bytes; Windows has 128 KiB
	maxOpenRuns    = 1 << 19  // of the containers kept open; 16 bytes each
	maxGenerations = 16       // of a container, that are looked through
	maxStores      = 4        // chunk stores kept open
	fewDamaged     = 4        // damaged folders whose lost files are looked for one by one
	maxSearches    = 16       // such, when looking for those of all at once does not do
	maxStrayBytes  = 64 << 20 // of their names, all folders together, and again of names in folders without a record
	maxJudged      = 1 << 12  // attributes of a file that is asked whether it has the name by which a folder leads to it
	maxRenewed     = 8        // tries to list a folder whose damage passes meanwhile
	maxUnsorted    = 1 << 10  // folders out of order that have a table
	maxTableNames  = 1 << 20  // names of damaged folders, and of those out of order, that are found without going through all; 16 bytes each
	maxGhosts      = 1024     // folders whose record is damaged that are remembered; 1 KiB each
	maxDamaged     = 1 << 16  // damaged records whose names a walk looks for
	maxListed      = 1 << 22  // entries that a damaged folder still has, or all of them together; 8 bytes each
)
