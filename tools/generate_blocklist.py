"""Owns the list of common passwords: generates it from patterns that are written down here.

No public list is copied: people choose passwords in a few ways, and those ways are what this file lists: words
with a year or a number behind, words twice, two words, walks over the keyboard, sequences and sentences. The result
is sorted, folded to lower case and the same on every run; a test compares it with the shipped file.

Run `python tools/generate_blocklist.py` after changing a pattern.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "src" / "ostiary" / "protocols" / "common_passwords.txt"

SHORTEST = 8
LONGEST = 26

# What people reach for first; these get every treatment.
FAVOURITES = """
password passwort passw0rd passwd welcome willkommen letmein iloveyou qwerty qwertz azerty admin administrator root
login master dragon monkey sunshine princess football baseball basketball superman batman shadow michael jennifer
jordan hunter secret access default changeme change test testing temp temporary guest user demo hello summer winter
spring autumn company office server system internet computer service support account secure security private
""".split()

# Everything else gets numbers and years.
WORDS = """
alexander amanda andrea andrew angela anthony ashley austin barbara benjamin brandon brian brittany carlos carolina
caroline catherine charles charlie charlotte chelsea chris christian christine christopher claudia cristina daniel
daniela david diana diego donald edward elizabeth emily emma eric ethan fernando florian francesco frank gabriel
george giovanni grace gregory hannah harold heather helena henry isabella jackson jacob james jasmine jason jeffrey
jessica jonathan joseph joshua julia julian justin karen katherine kenneth kevin kimberly lauren laura leonardo linda
lorenzo lucas madison marcus margaret maria marina mario martin matthew melissa michelle miguel mohammed monica natalie
nicholas nicole oliver olivia pamela patricia patrick peter philip rachel raymond rebecca richard robert ronald
samantha samuel sandra sarah scott sebastian sergio sophia stefan stephanie stephen steven susan taylor thomas tiffany
tyler valentina vanessa veronica victoria vincent virginia walter william zachary
january february march april june july august september october november december
monday tuesday wednesday thursday friday saturday sunday
orange yellow purple silver golden black white green blue crimson violet
tiger lion eagle falcon panther wolf bear horse dolphin butterfly kitten puppy elephant turtle penguin rabbit spider
soccer hockey tennis golf cricket rugby fishing racing guitar music piano dancer player gamer ninja pirate wizard
knight warrior legend phoenix unicorn rainbow flower banana cookie cheese chocolate coffee pepper ginger cherry
strawberry pumpkin peanut apple mango lemon
london paris berlin madrid roma newyork california texas chicago boston florida america england germany france canada
mexico brasil india china japan australia
arsenal liverpool barcelona realmadrid juventus chelseafc bayern manchester yankees cowboys lakers steelers
mustang ferrari porsche mercedes corvette harley yamaha toyota honda suzuki
starwars pokemon minecraft fortnite naruto zelda mario sonic spiderman ironman matrix gandalf hogwarts
angel heaven freedom forever lovely lover loveme babygirl babyboy sweetheart family mother father brother sister
friend friends happy lucky smile blessed jesus christ trustno1 whatever nothing something killer hacker cowboy diamond
crystal thunder lightning storm ocean river mountain island summertime beautiful awesome amazing fantastic perfect
google facebook amazon microsoft windows android iphone samsung linux ubuntu oracle cisco router database backup
""".split()

# Sentences and phrases as they are typed, without spaces.
PHRASES = """
iloveyousomuch iloveyouforever iloveyoubaby ilovemyself ilovemyfamily ilovemymom
ilovemydad ilovejesus ilovemusic ilovefootball iloveyouall loveyouforever letmeinplease letmeinnow openthedoor
opensesame opensesame123 thisismypassword thisisapassword mypassword mypasswordis mysecretpassword
passwordispassword nopassword nopasswordhere whatsmypassword forgotpassword iforgotmypassword ihatepasswords
passwordpassword strongpassword securepassword superstrongpassword supersecretpassword correctpassword
incorrectpassword wrongpassword newpassword oldpassword defaultpassword adminpassword rootpassword userpassword
changemenow changemeplease changeme123456 pleasechangeme tochangelater donotforget dontforgetme rememberme
asdfghjklzxcvbnm qwertyuiopasdfghjkl qwertyuiopasdfghjklzxcvbnm maytheforcebewithyou tobeornottobe
thequickbrownfox lordoftherings gameofthrones harrypotter godisgood godislove jesuschrist jesuslovesme
jesusismylord inthenameofgod happybirthday merrychristmas happynewyear goodmorning helloworld helloworld123
administrator1 superadministrator systemadministrator winteriscoming rockandroll metallica ironmaiden
chelseafootball manchesterunited manchestercity realmadridcf fcbarcelona barcelonafc letsgobrandon
whatthehell whatthefuck fuckyou fuckyouall fuckyoubitch fuckoff123 asshole123 bitch12345 motherfucker
trustnoone trustnobody nevergiveup keepcalm livelaughlove carpediem followyourdreams onelove forever21
babygirl123 princess123 imissyou imissyousomuch iamthebest iamtheking iamgroot youarethebest
""".split()

YEARS = [str(year) for year in range(1980, 2032)]
NUMBERS = """
1 2 3 7 9 11 12 13 21 22 23 69 77 88 99 00 01 007 100 101 111 123 321 420 666 777 789 999 1000 1111 1212 1234 2222 3333
4321 5555 6969 7777 9999 12345 54321 11111 123123 123321 123456 654321 111111 112233 1234567 12345678 87654321
123456789 987654321 1234567890 0123456789 0987654321
""".split()
LIKELY_YEARS = [str(year) for year in (*range(1985, 2003), *range(2020, 2028))]
LIKELY_NUMBERS = "1 01 12 69 007 123 321 1234 12345 123123 123456".split()
HEADS = ["ilove", "iam", "my", "the", "hello", "welcome"]
TAILS = [
    "abc",
    "abc123",
    "qwe",
    "qwerty",
    "asd",
    "xyz",
    "123abc",
    "123!",
    "1234!",
    "12345!",
    "123456!",
    "@123",
    "@1234",
    "@12345",
    "#123",
    "!123",
    "_123",
    "-123",
    ".123",
    "!@#",
    "!@#$",
    "!@#$%",
    "1!",
    "12!",
    "01!",
    "1q2w3e",
    "1qaz",
]

ROWS = [
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "0987654321",
    "abcdefghijklmnopqrstuvwxyz",
    "!@#$%^&*()",
    '!"#$%&/()=',
]
COLUMNS = [
    "1qaz",
    "2wsx",
    "3edc",
    "4rfv",
    "5tgb",
    "6yhn",
    "7ujm",
    "8ik,",
    "9ol.",
    "qaz",
    "wsx",
    "edc",
    "rfv",
    "tgb",
    "yhn",
    "ujm",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "1a2b3c4d5e6f7g8h9i0j",
    "a1b2c3d4e5f6g7h8i9j0",
    "a1s2d3f4g5h6",
    "1a2s3d4f5g6h",
    "zaq1xsw2cde3vfr4",
    "1qazxsw23edcvfr4",
    "1qaz2wsx3edc4rfv5tgb6yhn",
    "qazwsxedcrfvtgbyhnujm",
    "qawsedrftgyhujikolp",
    "zse4xdr5cft6",
    "147258369",
    "159753",
    "963852741",
    "741852963",
    "789456123",
    "123654789",
    "14789632",
    "1235789",
]


def numbered() -> Iterator[str]:
    """Words with what people put behind them to satisfy a rule; the check itself drops marks at the ends."""
    for word in FAVOURITES:
        yield word
        for number in YEARS + NUMBERS:
            yield word + number
        for number in NUMBERS:
            yield number + word
        for tail in TAILS:
            yield word + tail
    for word in WORDS:
        yield word
        for number in LIKELY_YEARS + LIKELY_NUMBERS:
            yield word + number


def joined() -> Iterator[str]:
    """Words twice, two favourites, and love for all of them."""
    for word in FAVOURITES + WORDS:
        yield word + word
        for head in HEADS:
            yield head + word
            yield head + word + "123"
    for first, second in itertools.permutations(FAVOURITES, 2):
        yield first + second


def walked() -> Iterator[str]:
    """Walks along the rows and columns of a keyboard, there and back, once or twice."""
    for row in ROWS + COLUMNS:
        for path in (row, row[::-1], row + row, row + row[::-1]):
            for start in range(len(path)):
                for end in range(start + SHORTEST, min(len(path), start + LONGEST) + 1):
                    yield path[start:end]
    for first, second in itertools.permutations(ROWS, 2):
        for size in range(3, 8):
            yield first[:size] + second[:size]
            yield first[:size] + second[:size] + first[:size]
    for row in ROWS:
        for size in range(3, len(row) + 1):
            for number in LIKELY_NUMBERS:
                yield row[:size] + number
                yield number + row[:size]
    for first, second, third in zip(COLUMNS, COLUMNS[1:9], COLUMNS[2:9], strict=False):
        yield first + second + third
        yield third + second + first


def phrased() -> Iterator[str]:
    """Phrases, bare and with the usual tails."""
    for phrase in PHRASES:
        yield phrase
        for number in LIKELY_NUMBERS[:4]:
            yield phrase + number


def entries() -> list[str]:
    """All entries, sorted, each once."""
    everything = itertools.chain(numbered(), joined(), walked(), phrased())
    folded = {entry.casefold() for entry in everything}
    return sorted(entry for entry in folded if SHORTEST <= len(entry) <= LONGEST and entry[0] != "#")


def render() -> str:
    """The file's text."""
    return "\n".join(
        ["# Generated by tools/generate_blocklist.py; change the patterns there.", *entries(), ""]
    )


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="ascii")
