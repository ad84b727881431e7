
/*
 * The files of the speech domains and the models behind them.
 */

#ifndef SPEECH_DOMAIN_H
#define SPEECH_DOMAIN_H


#include "speech_recogniser.h"


#define SPEECH_PATH_MAX  1024


typedef struct {
    const char  *language;             /* primary subtag; NULL ends */
    const char  *acoustic;
    const char  *dictionary;
    const char  *phones;               /* language model of phones */
} speech_model_t;


extern const speech_model_t  speech_models[];

/* Names of the grammars' files by speech_side_e. */
extern const char *const  speech_side_names[];

/* Writes the path of the grammar for a sound; 0: there is none. */
int speech_grammar_path(char *out, size_t size, const char *dir,
    const speech_sound_t *sound);


#endif /* SPEECH_DOMAIN_H */
