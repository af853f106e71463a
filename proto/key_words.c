/* SPDX-License-Identifier: MIT */
/* The first part of a fingerprint: easy to read aloud. Never reordered, or every printed
 * fingerprint would be another one. */
#include "proto/key_words.h"

const char *const key_words[256] = {
    "acorn",   "agate",    "alder",   "almond",  "amber",    "anchor",  "antler",   "apple",
    "apricot", "arbor",    "arrow",   "ash",     "aspen",    "aster",   "atlas",    "autumn",
    "badger",  "bamboo",   "barley",  "basalt",  "basil",    "basin",   "bay",      "beacon",
    "beaver",  "beech",    "bell",    "berry",   "birch",    "bison",   "bloom",    "bluff",
    "boulder", "bramble",  "branch",  "breeze",  "brick",    "bridge",  "brook",    "bronze",
    "cactus",  "camel",    "canal",   "candle",  "canyon",   "carbon",  "cargo",    "castle",
    "cedar",   "celery",   "chalk",   "cherry",  "chestnut", "cinder",  "citrus",   "clay",
    "cliff",   "cloud",    "clover",  "cobalt",  "cocoa",    "comet",   "copper",   "coral",
    "corn",    "cotton",   "cove",    "crane",   "crater",   "creek",   "cricket",  "crow",
    "crystal", "cypress",  "daisy",   "dawn",    "deer",     "delta",   "desert",   "dew",
    "dolphin", "dove",     "dragon",  "drum",    "dune",     "dusk",    "eagle",    "earth",
    "ebony",   "echo",     "elder",   "elk",     "elm",      "ember",   "emerald",  "falcon",
    "fennel",  "fern",     "field",   "finch",   "fir",      "fjord",   "flame",    "flax",
    "flint",   "flood",    "flower",  "fog",     "forest",   "fossil",  "fox",      "frost",
    "galaxy",  "garden",   "garnet",  "geyser",  "ginger",   "glacier", "glade",    "glen",
    "gold",    "goose",    "granite", "grape",   "grass",    "grove",   "gull",     "harbor",
    "hare",    "hawk",     "hazel",   "heather", "hedge",    "heron",   "hickory",  "hill",
    "holly",   "honey",    "horizon", "hornet",  "ice",      "indigo",  "iris",     "iron",
    "island",  "ivory",    "ivy",     "jade",    "jasmine",  "jasper",  "juniper",  "kelp",
    "kestrel", "lagoon",   "lake",    "larch",   "lark",     "lava",    "lavender", "leaf",
    "lemon",   "lilac",    "lily",    "lime",    "linden",   "lion",    "lotus",    "lynx",
    "magnet",  "magpie",   "mango",   "maple",   "marble",   "marsh",   "meadow",   "melon",
    "mesa",    "meteor",   "mint",    "mist",    "moon",     "moose",   "moss",     "nectar",
    "nettle",  "nickel",   "nutmeg",  "oak",     "oasis",    "oat",     "ocean",    "olive",
    "onyx",    "opal",     "orbit",   "orchid",  "osprey",   "otter",   "owl",      "oyster",
    "palm",    "panda",    "pansy",   "papaya",  "peach",    "pear",    "pearl",    "pebble",
    "pepper",  "pine",     "planet",  "plum",    "pond",     "poplar",  "poppy",    "prairie",
    "quail",   "quartz",   "quince",  "rain",    "raven",    "reed",    "reef",     "ridge",
    "river",   "robin",    "rose",    "ruby",    "rye",      "saffron", "sage",     "salmon",
    "sand",    "sapphire", "sequoia", "shell",   "silver",   "slate",   "snow",     "sorrel",
    "sparrow", "spruce",   "star",    "stone",   "storm",    "summit",  "swan",     "tansy",
    "teal",    "thistle",  "thyme",   "tide",    "tiger",    "topaz",   "trout",    "tulip",
};
