/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * libdw would inflate .gnu_debugdata by itself, but without a bound: one megabyte of xz can hold
 * seven gigabytes of zeros.
 */
#include <lzma.h>
#include <stdint.h>
#include <stdlib.h>

#include "symbols/elffile.h"
#include "symbols/guard.h"
#include "symbols/minidebug.h"

enum {
	MAX_BYTES = 16 << 20,   /* the largest seen, of a browser, has 5 MB */
	MAX_DECODER = 32 << 20, /* what xz -9 needs is 65 MB; the tool that makes these uses less */
	STEP_BYTES = 256 << 10,
};

static void *decode(lzma_stream *stream, size_t *bytes)
{
	uint8_t *out = NULL, *larger;
	lzma_ret ret = LZMA_OK;
	size_t size = 0;

	while (ret == LZMA_OK && size < MAX_BYTES && !guard__expired()) {
		larger = realloc(out, size + STEP_BYTES);
		if (!larger)
			break;
		out = larger;
		stream->next_out = out + size;
		stream->avail_out = STEP_BYTES;
		ret = lzma_code(stream, LZMA_FINISH);
		size += STEP_BYTES - stream->avail_out;
	}
	if (ret == LZMA_STREAM_END) {
		*bytes = size;
		return out;
	}
	free(out);
	return NULL;
}

void *minidebug__inflate(Elf *elf, size_t *bytes)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	Elf_Data *data;
	GElf_Shdr shdr;
	Elf_Scn *scn;
	void *out;

	scn = elffile__named(elf, ".gnu_debugdata", &shdr);
	data = scn && !(shdr.sh_flags & SHF_COMPRESSED) ? elf_rawdata(scn, NULL) : NULL;
	if (!data || !data->d_buf || lzma_stream_decoder(&stream, MAX_DECODER, 0) != LZMA_OK)
		return NULL;
	stream.next_in = data->d_buf;
	stream.avail_in = data->d_size;
	out = decode(&stream, bytes);
	lzma_end(&stream);
	return out;
}
