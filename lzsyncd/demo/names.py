"""The words a made-up company is built from: people, places, units, positions.

A name that has no obvious Latin letters carries its own, after `=`: they become the username.
"""

import unicodedata
from typing import NamedTuple

_LATIN = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"})


class Name(NamedTuple):
    """A name as it is written, and as it appears in a username (`a`-`z` only)."""

    written: str
    latin: str


class Place(NamedTuple):
    """Where people work. The telephone prefixes are not real numbers' owners: the digits after them are made up."""

    city: str
    country: str
    lang: str
    dial: str


def _latin(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.lower().translate(_LATIN))
    return "".join(c for c in letters if "a" <= c <= "z")


def _names(text: str) -> tuple[Name, ...]:
    """Names separated by commas; of two that look the same in a username only the first is kept."""
    names: dict[str, Name] = {}
    for entry in text.replace("\n", " ").split(","):
        written, _, latin = entry.strip().partition("=")
        names.setdefault(latin or _latin(written), Name(written, latin or _latin(written)))
    return tuple(names.values())


FIRST_NAMES = _names("""
Ada, Aino, Aisha, Albert, Alejandra, Ali, Alice, Amélie, Amina, Ana, Anders, Andrzej, Aoife, Arjun, Astrid, Ayşe,
Bartosz, Beatriz, Ben, Bjørn, Božena, Brigid, Bruno, Camille, Carlos, Chiara, Chloé, Claire, Clara, Dagmar, Daniel,
David, Deepa, Diego, Dimitra, Dorota, Edith, Eilidh, Elif, Elena, Élodie, Emeka, Emily, Emma, Enrique, Erik, Esther,
Eva, Fatima, Felix, Fernanda, Finn, Françoise, Frida, Gabriel, Gergő, Giulia, Grace, Grzegorz, Guðrún, Hamza, Hanna,
Harald, Hassan, Helena, Henrik, Hugo, Ibrahim, Ida, Ignacio, Ines, Ingrid, Ioana, Isla, Ivan, Jakub, James, Jan,
Jana, Jiří, João, Johan, Jörg, José, Juan, Jürgen, Kamala, Karim, Kateřina, Katja, Kofi, Kwame, Lars, Laura, Layla,
Léa, Lena, Leo, Liam, Linnéa, Lotte, Lucía, Łukasz, Luuk, Maeve, Magnus, Małgorzata, Maria, Mario, Márta, Mateusz,
Matilde, Mehmet, Mia, Miguel, Mila, Mohammed, Nadia, Naomi, Niamh, Nils, Noor, Nuno, Olga, Oliver, Olivia, Ömer,
Oskar, Paola, Pavel, Pedro, Petra, Pierre, Priya, Rafael, Rania, Renée, Ricardo, Rosa, Ruth, Samir, Sanne, Sara,
Şebnem, Siobhán, Sofia, Søren, Stella, Sven, Tariq, Teresa, Thabo, Thomas, Tiago, Tomáš, Ulrike, Valentina, Vera,
Victor, Wanjiru, William, Xavier, Yasmin, Yusuf, Zoë, Zuzana, Ольга=olga, Дмитрий=dmitrij, Ελένη=eleni,
Γιώργος=giorgos, 健太=kenta, 美咲=misaki, 伟=wei, 秀英=xiuying, 민준=minjun, सीता=sita
""")

LAST_NAMES = _names("""
Aalto, Abbott, Acosta, Adeyemi, Ahmed, Alonso, Al-Masri, Andersen, Andersson, Antonescu, Baker, Banerjee, Barros,
Bauer, Becker, Benali, Berg, Bianchi, Björk, Blanc, Błaszczyk, Boateng, Brennan, Brown, Bruun, Campbell, Cardoso,
Castillo, Çelik, Černý, Chen, Chiumbo, Clarke, Conti, Costa, Dahl, Da Silva, Davies, De Vries, Demir, Diallo, Díaz,
Dlamini, Dubois, Dupont, Dvořák, Eklund, Eriksen, Esposito, Evans, Fernández, Ferrari, Fischer, Fitzgerald,
Fournier, Fraser, Gallagher, García, Gonçalves, González, Green, Grigorescu, Gupta, Haddad, Hansen, Hassan,
Hernández, Hoffmann, Holm, Horváth, Hughes, Ibáñez, Iqbal, Iyer, Jansen, Jensen, Jóhannsdóttir, Johansson, Jones,
Kaya, Kelly, Khan, Kimura, Koch, Korhonen, Kovács, Kowalczyk, Kowalski, Krüger, Kumar, Lambert, Larsen, Lefèvre,
Lehtonen, Lindqvist, Lombardi, López, Lovelace, MacDonald, Mäkinen, Malik, Marín, Martin, Mbeki, McCarthy, Meier,
Mensah, Meyer, Moreau, Moretti, Müller, Murphy, Nagy, Nakamura, Ndlovu, Nguyen, Nielsen, Nieminen, Novák, Nowak,
Núñez, O'Brien, O'Connor, Okafor, Olsen, Ortiz, Östberg, Osei, Öztürk, Papadopoulos, Park, Patel, Pereira, Pérez,
Petersen, Petrov, Pettersson, Pospíšil, Quinn, Ramírez, Rao, Rasmussen, Reyes, Ricci, Richter, Rodrigues, Romano,
Rossi, Roux, Ruiz, Ryan, Sánchez, Santos, Schäfer, Schmidt, Schneider, Schröder, Sharma, Silva, Singh, Smith,
Sørensen, Sousa, Štěpánek, Stewart, Sullivan, Suzuki, Svensson, Szabó, Szymański, Takahashi, Tanaka, Taylor,
Thomsen, Tóth, Traoré, Tremblay, Vaher, Van den Berg, Van Dijk, Vargas, Vasquez, Visser, Von Braun, Vuković, Wagner,
Walker, Walsh, Watanabe, Weber, Werner, Williams, Wilson, Wiśniewski, Wójcik, Wright, Yamamoto, Yilmaz, Young,
Yusuf, Zhang, Zieliński, Zimmermann, Žukauskas, Иванова=ivanova, Шевченко=shevchenko, Παππάς=pappas, 佐藤=sato, 李=li,
김=kim, शर्मा=sarma
""")

PLACES = (
    Place("London", "GB", "en", "+44 20"),
    Place("Leeds", "GB", "en", "+44 113"),
    Place("Edinburgh", "GB", "en-GB", "+44 131"),
    Place("Dublin", "IE", "en", "+353 1"),
    Place("Paris", "FR", "fr", "+33 1"),
    Place("Lyon", "FR", "fr", "+33 4"),
    Place("Genève", "CH", "fr", "+41 22"),
    Place("Zürich", "CH", "de", "+41 44"),
    Place("Berlin", "DE", "de", "+49 30"),
    Place("München", "DE", "de", "+49 89"),
    Place("Köln", "DE", "de", "+49 221"),
    Place("Wien", "AT", "de", "+43 1"),
    Place("Utrecht", "NL", "nl", "+31 30"),
    Place("Gent", "BE", "nl", "+32 9"),
    Place("Aarhus", "DK", "da", "+45 86"),
    Place("Göteborg", "SE", "sv", "+46 31"),
    Place("Bergen", "NO", "nb", "+47 55"),
    Place("Tampere", "FI", "fi", "+358 3"),
    Place("Reykjavík", "IS", "is", "+354 55"),
    Place("Gdańsk", "PL", "pl", "+48 58"),
    Place("Łódź", "PL", "pl", "+48 42"),
    Place("Brno", "CZ", "cs", "+420 54"),
    Place("Győr", "HU", "hu", "+36 96"),
    Place("Cluj-Napoca", "RO", "ro", "+40 264"),
    Place("Milano", "IT", "it", "+39 02"),
    Place("Torino", "IT", "it", "+39 011"),
    Place("Málaga", "ES", "es", "+34 95"),
    Place("A Coruña", "ES", "es", "+34 98"),
    Place("Porto", "PT", "pt", "+351 22"),
    Place("São Paulo", "BR", "pt-BR", "+55 11"),
    Place("Montréal", "CA", "fr", "+1 514"),
    Place("Boston", "US", "en-US", "+1 617"),
    Place("Wellington", "NZ", "en", "+64 4"),
    Place("Nairobi", "KE", "en", "+254 20"),
    Place("Pune", "IN", "en", "+91 20"),
    Place("大阪", "JP", "ja", "+81 6"),
)

DIVISIONS = (
    "Operations", "Logistics", "Sales", "Finance", "People", "Technology", "Field service", "Quality", "Marketing",
    "Legal",
)  # fmt: skip

FUNCTIONS = (
    "Payroll", "Warehouse", "Fleet", "Customer care", "Key accounts", "Procurement", "Treasury", "Recruiting",
    "Learning", "Platform", "Data", "Security", "Maintenance", "Inspection", "Dispatch", "Training centre",
    "Returns", "Planning", "Facilities", "Health and safety", "Compliance", "Contracts", "Brand", "Research",
    "Laboratory", "Night shift",
)  # fmt: skip

RANKS = (
    "Trainee", "Junior", "Assistant", "", "Senior", "Lead", "Principal", "Deputy", "Chief", "Regional", "Group",
    "Acting",
)  # fmt: skip

TITLES = (
    "driver", "loader", "analyst", "engineer", "nurse", "technician", "buyer", "accountant", "recruiter", "trainer",
    "planner", "designer", "developer", "inspector", "dispatcher", "clerk", "adviser", "electrician", "fitter",
    "chemist", "auditor", "translator", "lawyer", "cook", "cleaner", "guard", "surveyor", "tester", "writer",
    "coordinator",
)  # fmt: skip
