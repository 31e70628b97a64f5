/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz: what every fuzz target defines. libFuzzer calls it with inputs of its own; replay.c, in its
 * place, with the files of a corpus, so that known inputs are tested with any compiler.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0. Whatever is wrong aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
