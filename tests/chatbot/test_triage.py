"""Signs that must not wait are found in how patients write; what only looks like one is left alone."""

import pytest

from chatbot import triage
from chatbot.models import RedFlag
from chatbot.triage import Flag, Triage

EMERGENCIES = {
    "Chemical in the eye": [
        "i got bleach in my eye what do i do",
        "HELP my son sprayed windex in his eyes",
        "drain cleaner splashed in my face and eyes like 5 min ago",
        "superglue got in my eye and its stuck shut",
        "some of the pool chlorine went into my eye it burns",
        "accidentally put nail glue instead of eye drops in my left eye",
        "my toddler bit a tide pod and it squirted in her eye",
        "got pepper sprayed, eyes wont stop burning. pepper spray in both eyes",
        "used my peroxide contact solution by mistake, hydrogen peroxide in my eye",
        "me cayó cloro en el ojo",
    ],
    "Sudden loss of vision": [
        "I cant see out of my right eye",
        "woke up this morning and im blind in one eye",
        "suddenly lost vision in my left eye, came back after 10 min",
        "everything went black for a few seconds in my left eye",
        "my moms vision just disappeared all of a sudden she cant see anything",
        "sudenly cant see out of one eye",
        "half my vision is gone since yesterday",
        "no puedo ver con el ojo derecho",
        "de repente perdí la vista en un ojo",
        "my husband went blind in his eye just now",
    ],
    "Curtain or shadow over the vision": [
        "theres like a black curtain coming down over my vision",
        "i see a shadow in the corner of my eye that wont go away",
        "a gray veil over half of my sight",
        "I think my retina is detaching",
        "dark shade creeping up from the bottom of my eye",
        "my side vision is missing on the left",
        "veo como una cortina negra en el ojo",
    ],
    "New flashes or floaters": [
        "seeing flashes of light in my left eye since this morning",
        "all of a sudden tons of floaters",
        "new floaters and lightning streaks in the corner of my eye",
        "black dots floating everywhere started today",
        "i keep seeing sparkles in my vision on the right side, and a new big floater",
        "a shower of black specks in my eye",
        "flashing lights at the edge of my vision",
        "veo destellos y moscas volantes nuevas",
        "floatters got way worse last night, hundreds of them",
    ],
    "Something went into the eye": [
        "i think a metal shaving is in my eye from the grinder",
        "my kid poked a pencil in her eye",
        "a nail flew up and hit my eye at work",
        "glass from the windshield got into my eyes",
        "fish hook stuck in my eyelid",
        "a tree branch stabbed me in the eye",
        "se me clavó una astilla en el ojo",
    ],
    "Blow to the eye": [
        "got punched in the eye last night",
        "baseball hit my son in the eye, its swelling",
        "airbag hit me in the eyes in the car accident",
        "i was elbowed in the eye playing basketball and my sight is blury",
        "my daughter got hit in the eye with a tennis ball",
        "fell on the stairs and hit my eye",
        "recibí un golpe en el ojo",
    ],
    "Burn or blast to the eye": [
        "hot oil popped in my eye while cooking",
        "a firework went off near his eye",
        "i burned my eye with the curling iron",
        "welding without a mask yesterday and my eyes hurt so gritty",
    ],
    "Painful red eye with halos or vomiting": [
        "my eye is red and aching, seeing halos around lights and i feel sick",
        "terrible eye pain and im throwing up",
        "halos around lights with a bad headache and pain over my eye",
    ],
    "Severe eye pain": [
        "the pain in my eye is unbearable",
        "severe eye pain since last night",
        "my left eye is killing me",
        "sharp pain in my right eye, cant open it",
        "me duele mucho el ojo",
        "eye hurts so bad i cant sleep",
    ],
    "Double vision": ["seeing double since this morning", "i have double vision all of a sudden",
    "veo doble desde ayer"],
    "Droopy lid, unequal pupils or signs of a stroke": [
        "my eyelid suddenly started drooping",
        "one pupil is bigger than the other and i have a headache",
        "the left side of my face is numb and my eye is weird",
    ],
    "Trouble after eye surgery or an injection": [
        "had cataract surgery 3 days ago and now my eye is red and painful",
        "after my eye injection yesterday the eye hurts more and vision is worse",
        "post op lasik, lots of discharge",
    ],
    "Life in danger": ["i want to kill myself", "chest pain and cant breathe"],
}  # fmt: skip
URGENT = {
    "Red eye with pain, light sensitivity or blur": [
        "my eye is really red and hurts",
        "red eye and i cant stand light",
        "eyes are bloodshot and blurry, been 2 days",
        "tengo el ojo rojo y me duele",
        "i think my iritis is back",
    ],
    "Pain or redness with contact lenses": [
        "slept in my contacts and now its red and sore",
        "my contact is stuck in my eye i cant get it out",
        "contact lens wearer, red eye with a white spot",
    ],
    "Something in the eye": [
        "something is stuck in my eye since yesterday",
        "sawdust flew in my eye and wont come out",
        "feels like theres sand in my eye cant get it out",
        "me entró algo en el ojo",
    ],
    "Scratched eye": ["the baby scratched my eye", "i scratched my cornea with a mascara brush",
    "my cat clawed me in the eye"],
    "Sudden blurred or distorted vision": [
        "woke up with blurry vision in one eye",
        "my sight got cloudy overnight",
        "straight lines look wavy",
        "vision is getting worse every day really quickly",
        "de repente veo todo borroso en un ojo, la vista borrosa",
    ],
    "Blood in or from the eye": ["theres blood in my eye", "my eye is bleeding", "me sale sangre del ojo"],
    "Swelling around the eye": ["my eye is swollen shut", "eyelid swollen and hot with fever"],
    "White pupil in a child": ["my babys pupil looks white in photos"],
    "Headache at the temple with eye trouble": ["pain in my temple and jaw when i chew and my vision is dim"],
}  # fmt: skip
MORE_RED_FLAGS = [
    "my vision just went in my left eye",
    "i got sunscreen in my eye and it hurts",
    "acid from my car battery hit my face, eyes burning",
    "there is a big dark smudge in my vision that showed up this morning",
    "can only see half of the tv out of my right eye",
    "got hit with a snowball in the eye, feels ok but a bit red",
    "my eye is bulging and sore",
    "husband has stroke symptoms and can't see",
    "woodchip in eye",
    "my contact ripped and part of it is still in there",
    "eyeball pain 10/10",
    "pupils are different sizes",
    "lots of squiggly lines and dots since last night",
    "i see like lightning bolts in the dark",
    "eye got worse after the shot they gave me last week",
    "paint in my eye",
    "got poked by my baby's finger, light hurts",
    "something flew in my eye while mowing",
    "lost sight for 5 min then it came back",
    "the left eye vision is dim like someone turned down the lights, sudden",
    "my dog scratched my eyeball",
    "jalapeno juice in my eyes",
    "raspberry colored blood spot on the white of my eye",
    "kid swallowed eye drops",
    "vision like looking through a dirty window since yesterday",
    "mi hijo se golpeó el ojo jugando fútbol",
    "me salpicó aceite en el ojo",
    "veo una sombra en un lado",
    "my right eye wont open and it is swollen",
    "everything looks wavy out of my left eye",
    "grinding metal w/o goggles now eye is scratchy",
    "eye is red, pus coming out, i wear contacts",
    "thick yellow discharge and pain in my eye",
    "double images when i look left",
    "i keep bumping into things on my left side, cant see that side",
    "Hi, I noticed this weird flickering on the edge of my sight since last night, should I be worried",
    "doc my eye is super red and when i look at a lamp it stings like crazy",
    "my grandmother says she cant see anything out of her good eye anymore",
    "hit my brow on the cabinet and now theres blood inside the colored part",
    "I was cleaning the shower and the spray got me right in the eye",
    "there's a hole in the center of what i see",
    "my 4 yr old stuck a fork near his eye and its bleeding",
    "cloudy spot on my eye and it burns, i wear monthlies",
    "i just lost the vision on one side",
    "eye injection on monday, today everything is foggy and it aches",
    "my lid is so puffy i cant open it and i have a temperature",
    "seeing rainbows around lights and my head is splitting",
    "a bee stung my eyelid",
    "hammering a nail and something shot in my eye",
    "the floaters doubled over the weekend",
    "acrylic nail liquid in eye",
    "everything is blurry out of nowhere",
    "pink eye with green gunk",
    "lost a piece of my contact in my eye",
    "eye trauma from a paintball",
    "my dad's eye suddenly turned outward and he sees two of me",
    "gas fumes are making my eyes burn badly",
    "me quemé el ojo con el rizador",
    "ayuda, mi bebé se metió jabón de lavar en los ojos",
    "visión borrosa de repente",
]
"""Written after the list was, to see what it had missed."""

LOOK_ALIKES = [
    "do you use flash photography for the retina pictures",
    "urgent question about my bill",
    "need an appointment asap please",
    "my glasses are broken can i come in today",
    "a ball hit my glasses and the frame is bent, eye is fine",
    "i sat on my glasses yesterday",
    "do you sell flashy frames for teens",
    "the flash sale on frames, is it still going",
    "did you get my message about the shower curtain measurements lol wrong number",
    "do you have window blinds in the waiting room, the sun is strong",
    "i cant see the board at school anymore",
    "i cant see far away without my glasses",
    "can't see why i was charged twice",
    "i cannot see my appointment on the website",
    "lost my vision insurance card",
    "lost my glasses at the beach",
    "no pain, no flashes, just a regular checkup",
    "i dont have any floaters or flashes",
    "routine exam please, no eye problems",
    "I have had the same floaters for years, just want my yearly exam",
    "had a detached retina 8 years ago, need my annual exam",
    "my mother had a retinal detachment, do i need a screening",
    "is a chemical peel ok before my exam",
    "which cleaning spray is safe for my lenses",
    "do you sell swim goggles with prescription, chlorine in the pool fogs mine",
    "are metal frames more expensive than plastic",
    "the wire frame pokes my ear",
    "scratched my lenses, is that under warranty",
    "do your glasses have a scratch resistant coating",
    "does the anti scratch coating cost extra",
    "my new glasses are blurry since i picked them up today",
    "how long is vision blurry after dilation",
    "will my eyes be sensitive to light after the dilation",
    "can i drive after my pupils are dilated",
    "how long after cataract surgery can i get new glasses",
    "how much is lasik surgery",
    "i'm thinking about lasik, do you do consults",
    "my knee surgery was yesterday so i need to move my exam",
    "i hit the wrong button and cancelled my appointment",
    "double checking my appointment time",
    "i was double charged",
    "two pairs of glasses, do i get a discount",
    "computer makes my eyes tired",
    "dry itchy eyes for months, do you treat dry eye",
    "my eyes water when i cut onions lol",
    "what are the symptoms of a detached retina",
    "do you treat glaucoma",
    "my blood pressure is high, can i still be dilated",
    "i take blood thinners, is that a problem for the exam",
    "looking for red frames for my daughter",
    "pink tinted lenses?",
    "do you have cat eye frames",
    "my son is color blind, can you test him",
    "can you contact me about my eye exam",
    "whats the pupillary distance on my prescription",
    "halos at night when driving for years, would new glasses help",
    "this website is a pain to use",
    "your prices are painful lol",
    "the temple arm of my glasses is loose and hurts behind my ear",
    "foggy lenses when i wear a mask",
    "need contacts for baseball season",
    "sports glasses for basketball for my kid",
    "black eye shadow stains on my lens case",
    "eyebrow piercing ok with the vision test machine?",
    "where is your office, the one behind the gas station",
    "my eye exam is today, what should i bring",
    "shadow color frames still in stock?",
    "last time the eye drops stung, do i need them again today",
    "reading small print is getting hard",
    "can i wear makeup to my exam",
    "do you replace nose pads, they leave red marks on my nose",
    "my contacts are running out, can i order more",
    "is it bad to sleep in contacts",
    "my face shape is round, which frames suit me",
    "cuánto cuesta un examen de la vista",
    "quiero cambiar mi cita, por favor",
    "is dr patel good with kids who are afraid of the puff test",
    "my glasses keep sliding and hurt my nose",
    "the left lens popped out of my frames",
    "can you fix a bent arm",
    "i got new floaters mats for my car haha sorry wrong number",
    "what's the best sunscreen that doesn't bother contacts",
    "my lens has a black spot on the coating",
    "i lost my sunglasses at the lake, do you have the same frame",
    "see you today at 3",
    "is the double lens discount still on",
    "i went to the vision expo and saw your booth",
    "the paint on my frames is chipping",
    "do i need to stop wearing contacts before my exam",
    "my eyes feel tired after work",
    "my son rubs his eyes a lot when reading",
    "how dark do the transition lenses get",
    "my eyes are dry in winter",
    "can i wear contacts swimming",
    "my eyelashes are long and hit the lens",
    "do you have anything today, i'm free after 2",
    "half of my bill was paid by insurance",
    "i need to see a doctor for new glasses, my old ones are 5 years old",
    "does the glaucoma test hurt",
    "are contacts supposed to burn when you put them in the first time",
    "i have a stye, do you treat those?",
    "red glasses case left at your office yesterday",
    "right side hinge is broken",
    "my night vision is not great, time for a new prescription?",
    "i see you have a 2 pm open",
    "my kid's school nurse said he failed the vision screening",
    "can i pay half of the balance today",
    "my wife is seeing dr okafor right now, can you tell her i'm outside",
]


@pytest.mark.parametrize("text", [text for texts in EMERGENCIES.values() for text in texts])
def test_an_emergency_is_told_as_an_emergency(text: str) -> None:
    flag = triage.by_default().check(text)
    assert flag is not None
    assert flag.level == "emergency"


@pytest.mark.parametrize("text", [text for texts in URGENT.values() for text in texts] + MORE_RED_FLAGS)
def test_what_needs_care_today_is_never_let_through(text: str) -> None:
    assert triage.by_default().check(text) is not None


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_a_look_alike_raises_no_alarm(text: str) -> None:
    assert triage.by_default().check(text) is None


@pytest.mark.parametrize("name", [*EMERGENCIES, *URGENT])
def test_every_flag_is_the_one_told_for_most_of_its_messages(name: str) -> None:
    texts = (EMERGENCIES | URGENT)[name]
    told = [flag.name for text in texts if (flag := triage.by_default().check(text))]
    assert told.count(name) * 2 > len(texts)


def test_the_gravest_sign_of_a_message_is_the_one_told() -> None:
    urgent = Flag("sore", "urgent", (("sore",),), "Call us.")
    emergency = Flag("gone", "emergency", (("gone",),), "Call 911.")
    assert Triage([urgent, emergency]).check("it is sore and my sight is gone") is emergency


def test_words_far_apart_make_no_sign() -> None:
    sign = Flag("bleach", "emergency", (("bleach", "eye"),), "Rinse.")
    far = "bleach " + "and many other things " * 4 + "for my eye"
    assert Triage([sign]).check(far) is None


def test_what_is_denied_is_no_sign() -> None:
    sign = Flag("pain", "urgent", (("pain",),), "Call us.")
    assert Triage([sign]).check("no pain or redness") is None
    assert Triage([sign]).check("no redness but pain") is sign


def test_a_slip_of_the_finger_is_forgiven_but_a_real_word_is_not_bent() -> None:
    sign = Flag("curtain", "emergency", (("curtain",),), "Call 911.")
    assert Triage([sign]).check("a curtian came down") is sign
    assert Triage([sign]).check("are you certain") is None


@pytest.mark.parametrize("flag", triage.default_flags(), ids=lambda flag: flag.name)
def test_every_flag_tells_what_to_do_and_where_the_rule_is_from(flag: Flag) -> None:
    assert flag.level in RedFlag.Level.values
    assert "call" in flag.advice.casefold()
    assert flag.source


def test_a_chemical_splash_is_rinsed_for_fifteen_minutes_first() -> None:
    flag = triage.by_default().check("bleach in my eye")
    assert flag is not None
    assert "15 minutes" in flag.advice


@pytest.mark.django_db
def test_the_default_list_is_loaded_once_and_unsigned() -> None:
    assert RedFlag.objects.count() == len(triage.default_flags())
    assert triage.load_defaults(RedFlag) == 0
    assert not RedFlag.objects.exclude(approved_by="").exists()


@pytest.mark.django_db
def test_what_the_practice_changed_is_kept() -> None:
    RedFlag.objects.filter(name="Eye pain").update(advice="Come at once.", is_active=False)
    triage.load_defaults(RedFlag)
    eye_pain = RedFlag.objects.get(name="Eye pain")
    assert (eye_pain.advice, eye_pain.is_active) == ("Come at once.", False)


@pytest.mark.django_db
def test_rows_are_checked_like_the_list_they_came_from() -> None:
    flag = Triage(RedFlag.objects.filter(is_active=True)).check("i got bleach in my eye")
    assert flag == RedFlag.objects.get(name="Chemical in the eye")
