
/*
 * WAV files.
 */

#include "voice_audio.h"


#define FORMAT_PCM         1
#define FORMAT_EXTENSIBLE  0xfffe
#define SAMPLE_BYTES       2


/* A place in the file and what is left behind it. */
typedef struct {
    const unsigned char  *ptr;
    size_t                left;
} cursor_t;


static voice_rc_t read_format(cursor_t chunk, voice_wav_t *wav);
static unsigned u16(const unsigned char *p);
static uint32_t u32(const unsigned char *p);
static int16_t sample(const unsigned char *p);
static void put(unsigned char *p, uint32_t value, int bytes);


voice_rc_t
voice_wav_parse(voice_span_t file, voice_wav_t *wav)
{
    size_t      size;
    cursor_t    at, chunk;
    voice_rc_t  rc;

    memset(wav, 0, sizeof(voice_wav_t));

    if (file.len > VOICE_WAV_MAX) {
        return VOICE_LIMIT;
    }

    if (file.len < 12 || memcmp(file.ptr, "RIFF", 4) != 0
        || memcmp(file.ptr + 8, "WAVE", 4) != 0)
    {
        return VOICE_INVALID;
    }

    at.ptr = (const unsigned char *) file.ptr + 12;
    at.left = file.len - 12;

    while (at.left >= 8) {

        size = u32(at.ptr + 4);
        chunk.ptr = at.ptr + 8;
        chunk.left = size < at.left - 8 ? size : at.left - 8;

        if (memcmp(at.ptr, "data", 4) == 0) {

            if (wav->rate == 0) {
                return VOICE_INVALID;
            }

            /* 0 is what a recorder wrote that could not go back */
            chunk.left = size == 0 ? at.left - 8 : chunk.left;
            wav->data = chunk.ptr;
            wav->frames = chunk.left / (wav->channels * SAMPLE_BYTES);

            return VOICE_OK;
        }

        if (memcmp(at.ptr, "fmt ", 4) == 0) {
            rc = read_format(chunk, wav);
            if (rc != VOICE_OK) {
                return rc;
            }
        }

        /* chunks are padded to even sizes */
        size = chunk.left + (chunk.left & 1);
        at.ptr += 8;
        at.left -= 8;
        size = size < at.left ? size : at.left;
        at.ptr += size;
        at.left -= size;
    }

    memset(wav, 0, sizeof(voice_wav_t));

    return VOICE_INVALID;
}


void
voice_wav_mono(const voice_wav_t *wav, int16_t *out)
{
    int                   sum;
    size_t                i;
    const unsigned char  *p;

    p = wav->data;

    for (i = 0; i < wav->frames; i++) {
        sum = sample(p);

        if (wav->channels == 2) {
            sum = (sum + sample(p + SAMPLE_BYTES)) / 2;
        }

        out[i] = (int16_t) sum;
        p += wav->channels * SAMPLE_BYTES;
    }
}


void
voice_wav_header(unsigned char out[VOICE_WAV_HEADER], unsigned rate,
    uint32_t bytes)
{
    uint32_t  whole;

    whole = bytes > UINT32_MAX - 36 ? UINT32_MAX : bytes + 36;

    memcpy(out, "RIFF", 4);
    put(out + 4, whole, 4);
    memcpy(out + 8, "WAVEfmt ", 8);
    put(out + 16, 16, 4);
    put(out + 20, FORMAT_PCM, 2);
    put(out + 22, 1, 2);
    put(out + 24, rate, 4);
    put(out + 28, rate * SAMPLE_BYTES, 4);
    put(out + 32, SAMPLE_BYTES, 2);
    put(out + 34, SAMPLE_BYTES * 8, 2);
    memcpy(out + 36, "data", 4);
    put(out + 40, bytes, 4);
}


size_t
voice_wav_header_comment(unsigned char out[VOICE_WAV_HEADER_MAX],
    unsigned rate, uint32_t bytes, voice_span_t comment)
{
    size_t         text, list;
    unsigned char  plain[VOICE_WAV_HEADER];

    comment.len = comment.len < VOICE_WAV_COMMENT ? comment.len
                                                  : VOICE_WAV_COMMENT;

    /* the text with its NUL, and what makes it even */
    text = (comment.len + 2) & ~(size_t) 1;
    list = 8 + 4 + 8 + text;

    voice_wav_header(plain, rate, bytes);

    memset(out, 0, VOICE_WAV_HEADER_MAX);
    memcpy(out, plain, 36);
    memcpy(out + 36, "LIST", 4);
    put(out + 40, (uint32_t) (list - 8), 4);
    memcpy(out + 44, "INFOICMT", 8);
    put(out + 52, (uint32_t) comment.len + 1, 4);
    memcpy(out + 56, comment.ptr, comment.len);
    memcpy(out + 36 + list, plain + 36, 8);

    if (bytes <= UINT32_MAX - 36 - list) {
        put(out + 4, bytes + 36 + (uint32_t) list, 4);
    }

    return VOICE_WAV_HEADER + list;
}


static voice_rc_t
read_format(cursor_t chunk, voice_wav_t *wav)
{
    unsigned  format, channels, align, bits;
    uint32_t  rate;

    /* the tail of the GUID of PCM, behind its 16 bits of format */
    static const unsigned char  pcm[14] = {
        0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xaa, 0x00,
        0x38, 0x9b, 0x71
    };

    if (chunk.left < 16) {
        return VOICE_INVALID;
    }

    format = u16(chunk.ptr);
    channels = u16(chunk.ptr + 2);
    rate = u32(chunk.ptr + 4);
    align = u16(chunk.ptr + 12);
    bits = u16(chunk.ptr + 14);

    if (format == FORMAT_EXTENSIBLE && chunk.left >= 40
        && memcmp(chunk.ptr + 26, pcm, sizeof(pcm)) == 0)
    {
        format = u16(chunk.ptr + 24);
    }

    if (format != FORMAT_PCM || channels < 1 || channels > 2
        || bits != SAMPLE_BYTES * 8 || align != channels * SAMPLE_BYTES
        || rate < VOICE_WAV_RATE_MIN || rate > VOICE_WAV_RATE_MAX)
    {
        return VOICE_INVALID;
    }

    wav->rate = rate;
    wav->channels = channels;

    return VOICE_OK;
}


static unsigned
u16(const unsigned char *p)
{
    return p[0] | (unsigned) p[1] << 8;
}


static uint32_t
u32(const unsigned char *p)
{
    return u16(p) | (uint32_t) u16(p + 2) << 16;
}


static int16_t
sample(const unsigned char *p)
{
    return (int16_t) u16(p);
}


static void
put(unsigned char *p, uint32_t value, int bytes)
{
    int  i;

    for (i = 0; i < bytes; i++) {
        p[i] = (unsigned char) (value >> 8 * i);
    }
}
