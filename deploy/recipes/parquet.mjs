// Prints the rows of a Parquet file, an object a line: for the tests, which hold
// what another reader than the writer's own finds against the other formats.
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

const file = await asyncBufferFromFile(process.argv[2])
for (const row of await parquetReadObjects({ file, compressors })) console.log(JSON.stringify(row))
